"""Sources as a whole: folders before and after, and what cannot be edited is named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.places import Place
from gitops_backup.sources.replacements import ObjectId, Replacement, ShapeResult
from gitops_backup.sources.shapes import edit_source, files_to_read
from gitops_backup.sources.trees import Tree
from tests.sources.samples import NEW, OLD, WEB, deployment, replacement

GOLDEN = sorted(path.parent for path in (Path(__file__).parent / "golden").glob("*/wanted.yaml"))


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_a_folder_becomes_what_it_should(folder: Path) -> None:
    """Each file ends as in the folder `after`, and each image has the outcome that is noted for it."""
    before, after = files(folder / "before"), files(folder / "after")
    application = Application.project(yaml.safe_load((folder / "application.yaml").read_text()))
    expected = dict(wanted(folder / "wanted.yaml"))
    result = edit(application, before, list(expected))
    assert {**before, **result.edits} == after
    assert outcomes(result) == expected
    again = edit(application, after, list(expected))
    assert again.edits == {}
    assert {*again.done} == {*result.done, *(each.replacement for each in result.replaced)}


def test_what_the_changed_files_name_is_listed() -> None:
    """All workloads of a changed file are listed with their images before and now, and no other file's."""
    content = deployment("image: nginx:1.25") + "---\n" + deployment("image: nginx:1.25", kind="StatefulSet")
    content += "---\n" + deployment("image: busybox", name="other", namespace="")
    contents = {"app/web.yaml": content.encode(), "app/else.yaml": deployment("image: x", name="y").encode()}
    result = edit(app({}), contents)
    assert [(use.workload, use.container, use.before, use.now, use.line) for use in result.images] == [
        (WEB, "web", OLD, NEW, 11),
        (ObjectId("apps", "StatefulSet", "shop", "web"), "web", OLD, OLD, 24),
        (ObjectId("apps", "Deployment", "team", "other"), "web", "busybox", "busybox", 36),
    ]


def test_only_what_may_name_the_workload_is_parsed() -> None:
    """A file that names neither the workload nor its kind may be as broken as it likes."""
    contents = {"app/web.yaml": deployment("image: nginx:1.25").encode(), "app/bomb.yaml": b"[" * 300_000}
    assert list(edit(app({}), contents).edits) == ["app/web.yaml"]


def test_a_name_in_escapes_is_found() -> None:
    """A word that is written with escapes may be any word."""
    content = deployment("image: nginx:1.25").replace("name: web\n  n", 'name: "w\\x65b"\n  n')
    contents = {"app/web.yaml": content.encode()}
    assert edit(app({}), contents).edits == {"app/web.yaml": content.replace(OLD, NEW).encode()}


def test_an_invalid_file_is_named_with_its_place() -> None:
    """The message says file, line and column; what stands in other files is edited."""
    broken = deployment("image: nginx:1.25", name="api").replace("spec:\n", "spec:\n\tbad: 1\n", 1)
    contents = {"app/api.yaml": broken.encode(), "app/web.yaml": deployment("image: nginx:1.25").encode()}
    api = replacement(ObjectId("apps", "Deployment", "shop", "api"))
    result = edit(app({}), contents, [api, replacement()])
    assert list(result.edits) == ["app/web.yaml"]
    assert [(r.replacement, r.reason) for r in result.refused] == [(api, Reason.INVALID_MANIFEST)]
    assert result.refused[0].message.startswith("app/api.yaml, line 7, column 1: ")


def test_an_edit_that_breaks_the_file_is_not_made() -> None:
    """A host that begins with a bracket cannot stand without quotes."""
    new = "[::1]:5000/nginx:1.25"
    plain = edit(app({}), {"app/web.yaml": deployment("image: nginx:1.25").encode()}, [replacement(new=new)])
    assert (plain.edits, [refused.reason for refused in plain.refused]) == ({}, [Reason.PROOF_FAILED])
    assert plain.refused[0].message.startswith("the edited file would not do: app/web.yaml, line ")
    assert plain.images == ()
    contents = {"app/web.yaml": deployment("image: 'nginx:1.25'").encode()}
    quoted = edit(app({}), contents, [replacement(new=new)])
    assert quoted.edits == {"app/web.yaml": deployment(f"image: '{new}'").encode()}


def test_several_applications_can_read_one_file() -> None:
    """The second edit is made on what the first has left."""
    content = deployment("image: nginx:1.25") + "---\n" + deployment("image: nginx:1.25", name="api")
    contents = {"app/web.yaml": content.encode()}
    contents |= edit(app({}), contents).edits
    contents |= edit(app({"path": "."} | RECURSIVE), contents, [API]).edits
    assert contents["app/web.yaml"].decode() == content.replace(OLD, NEW)


API = replacement(ObjectId("apps", "Deployment", "shop", "api"))
RECURSIVE = {"directory": {"recurse": True}}
WEB_YAML = deployment("image: nginx:1.25")
RENDERED: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "a kustomization": ({}, {"kustomization.yml": "resources: []"}, "kustomize"),
    "a chart": ({}, {"Chart.yaml": "name: web"}, "helm"),
    "a chart by another name": ({}, {"MyChart.yaml": ""}, "helm"),
    "a chart with a kustomization": ({}, {"Chart.yaml": "", "Kustomization": "resources: []"}, "kustomize"),
    "said to be Helm": ({"helm": {"releaseName": "x"}}, {"kustomization.yaml": ""}, "helm"),
    "said to be Kustomize": (
        {"kustomize": {"namePrefix": "x"}},
        {"Chart.yaml": "", "kustomization.yaml": "resources: []"},
        "kustomize",
    ),
}
UNSUPPORTED: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "a plugin": ({"plugin": {"name": "x"}}, {}, "rendered by a config management plugin from app"),
    "two kinds": (
        {"plugin": {}, "directory": {"recurse": True}},
        {},
        "of two kinds at once, which Argo CD refuses",
    ),
    "values for others": (
        {"ref": "values", "path": ""},
        {},
        "a repository without a path, which has no manifests of its own",
    ),
}


@pytest.mark.parametrize("case", RENDERED.values(), ids=RENDERED.keys())
def test_what_has_to_be_rendered_is_left_where_there_is_no_renderer(
    case: tuple[dict[str, Any], dict[str, str], str],
) -> None:
    """The reason says which program is missing."""
    source, beside, program = case
    contents = {f"app/{path}": text.encode() for path, text in (beside | {"web.yaml": WEB_YAML}).items()}
    (refused,) = edit(app(source), contents).refused
    assert refused.message.endswith(f"cannot be rendered: {program} is not installed")


@pytest.mark.parametrize("case", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_another_kind_of_source_is_named(case: tuple[dict[str, Any], dict[str, str], str]) -> None:
    """What cannot be edited yet says what it is, and nothing is read of it."""
    source, beside, name = case
    contents = {f"app/{path}": text.encode() for path, text in (beside | {"web.yaml": WEB_YAML}).items()}
    result = edit(app(source), contents, reading=[])
    assert [(r.reason, r.message) for r in result.refused] == [
        (Reason.UNSUPPORTED_SOURCE, f"the source is {name}")
    ]


@pytest.mark.parametrize(
    "beside", [".argocd-source-other.yaml", "sub/kustomization.yaml", "Chart.yml", "chart.yaml"]
)
def test_what_is_no_other_kind_is_a_directory(beside: str) -> None:
    """Another Application's parameters, and names that nearly fit, change nothing."""
    contents = {f"app/{beside}": b"a: b\n", "app/web.yaml": WEB_YAML.encode()}
    assert list(edit(app({}), contents).edits) == ["app/web.yaml"]


def test_a_directory_block_makes_a_directory_of_anything() -> None:
    """What the source says of itself comes before what is found there."""
    contents = {"app/kustomization.yaml": b"resources: []\n", "app/web.yaml": WEB_YAML.encode()}
    assert list(edit(app({"directory": {"recurse": True}}), contents).edits) == ["app/web.yaml"]


def test_a_plugin_is_known_from_the_status() -> None:
    """Which folders a plugin takes only Argo CD can tell."""
    result = edit(app({}, status={"sourceType": "Plugin"}), {"app/web.yaml": WEB_YAML.encode()}, reading=[])
    assert [refused.reason for refused in result.refused] == [Reason.UNSUPPORTED_SOURCE]


def test_what_a_hydrator_renders_from_is_edited() -> None:
    """What it made of it is not: that is made again."""
    hydrator = {"drySource": {"repoURL": "https://git.example/x", "path": "app"}}
    application = Application.project({"metadata": {"name": "web"}, "spec": {"sourceHydrator": hydrator}})
    contents = {"app/web.yaml": WEB_YAML.encode(), "hydrated/web.yaml": WEB_YAML.encode()}
    assert list(edit(application, contents).edits) == ["app/web.yaml"]


def test_a_parameter_file_can_make_another_kind_of_a_folder() -> None:
    """It is merged over what the Application says before anything else is asked."""
    contents = {"app/.argocd-source.yaml": b"plugin: {}", "app/web.yaml": WEB_YAML.encode()}
    (refused,) = edit(app({}), contents).refused
    assert refused.message == "the source is rendered by a config management plugin from app"


def test_an_override_comes_before_the_kind() -> None:
    """An image that the live Application sets would not follow Git, whatever the source is."""
    source = {"plugin": {}, "helm": {"parameters": [{"name": "image", "value": "nginx:1.25"}]}}
    result = edit(app(source), {"app/web.yaml": WEB_YAML.encode()}, reading=[])
    assert [(r.reason, r.message) for r in result.refused] == [
        (Reason.OVERRIDDEN, "spec.source.helm.parameters[image] of the live Application sets nginx:1.25")
    ]


@pytest.mark.parametrize(
    ("path", "reason", "message"),
    [
        ("linked", Reason.UNSUPPORTED_SOURCE, "linked is a symbolic link, which is not followed"),
        ("linked/deeper", Reason.UNSUPPORTED_SOURCE, "linked is a symbolic link, which is not followed"),
        ("links", Reason.UNSUPPORTED_SOURCE, "links/web.yaml is a symbolic link, which is not followed"),
        (
            "programs",
            Reason.RENDER_FAILED,
            "programs/web.jsonnet cannot be evaluated: jsonnet is not installed",
        ),
        ("unread", Reason.NOT_FOUND_IN_SOURCE, "no manifest in unread describes Deployment shop/web"),
        ("none", Reason.NOT_FOUND_IN_SOURCE, "no manifest in none describes Deployment shop/web"),
        ("../x", Reason.NOT_FOUND_IN_SOURCE, "the path ../x leads out of the repository"),
        (
            ".",
            Reason.NOT_FOUND_IN_SOURCE,
            "no manifest in the repository's root describes Deployment shop/web",
        ),
    ],
)
def test_what_hides_a_workload_is_named(path: str, reason: Reason, message: str) -> None:
    """Where the workload is not found, the likeliest cause is said."""
    modes = {
        "linked": "120000",
        "links/web.yaml": "120000",
        "programs/web.jsonnet": "100644",
        "unread/web.yaml": "100644",
        "sub": "160000",
    }
    application = app({"path": path})
    result = _edited(application, [replacement()], tree=Tree(modes), contents={})
    assert [(refused.reason, refused.message) for refused in result.refused] == [(reason, message)]


def edit(
    application: Application,
    contents: dict[str, bytes],
    replacements: list[Replacement] | None = None,
    *,
    reading: list[str] | None = None,
) -> ShapeResult:
    """What comes of the first source; `reading`, where given, are the files that it may look into."""
    source, tree = application.sources[0], Tree(dict.fromkeys(contents, "100644"))
    to_read: frozenset[str] = frozenset()
    while True:
        known = {path: contents[path] for path in to_read}
        asked = files_to_read(application, source, tree, known, mounts=_here(application)).paths
        if asked <= to_read:
            break
        to_read |= asked
    if reading is not None:
        assert sorted(to_read) == reading
    readable = {path: contents[path] for path in to_read}
    return _edited(application, replacements or [replacement()], tree=tree, contents=readable)


def _edited(
    application: Application, replacements: list[Replacement], *, tree: Tree, contents: dict[str, bytes]
) -> ShapeResult:
    return edit_source(
        application,
        application.sources[0],
        replacements,
        tree=tree,
        contents=contents,
        mounts=_here(application),
        renderer=LocalRenderer(scratch=Path("/nonexistent")),
        copies={},
    )


def _here(application: Application) -> Mounts:
    return Mounts(frozenset(Place.of(each) for each in application.sources))


def app(source: dict[str, Any], *, status: dict[str, Any] | None = None) -> Application:
    """An Application that deploys a folder `app` to the namespace `team`."""
    spec = {
        "source": {"repoURL": "https://git.example/shop", "path": "app"} | source,
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "team"},
    }
    return Application.project({"metadata": {"name": "web"}, "spec": spec, "status": status or {}})


def files(folder: Path) -> dict[str, bytes]:
    """All files in a folder by their paths from there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wanted(path: Path) -> Iterator[tuple[Replacement, str]]:
    """The replacements that a golden folder asks for, and what comes of each."""
    for each in yaml.safe_load(path.read_text()):
        init, _, container = each["container"].rpartition(" ")
        yield (
            Replacement(
                workload=ObjectId.of(WorkloadKey.parse(each["workload"])),
                container=container,
                init=init == "init",
                old=Reference.parse(each["image"]),
                new=each["backup"],
            ),
            each["outcome"],
        )


def outcomes(result: ShapeResult) -> dict[Replacement, str]:
    """What came of each replacement."""
    return (
        {each.replacement: "replaced" for each in result.replaced}
        | dict.fromkeys(result.done, "done")
        | {each.replacement: each.reason.value for each in result.refused}
    )
