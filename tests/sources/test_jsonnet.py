"""Directories with programs of jsonnet: what is read, what is refused, and what Argo CD would make of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.jsonnet import imports
from gitops_backup.sources.jsonnet.options import JsonnetBlock, UnusableVariable
from gitops_backup.sources.jsonnet.programs import MOST_PROGRAMS
from gitops_backup.sources.mounts import ELSEWHERE, Mounts
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendered import InvalidRendering, read_json
from gitops_backup.sources.rendering import Variable
from gitops_backup.sources.replacements import ObjectId, Replacement, ShapeResult
from gitops_backup.sources.shapes import ToRead, files_to_read
from gitops_backup.sources.trees import Tree
from tests.sources.charts import edit
from tests.sources.samples import deployment

WEB = """
function(image='nginx:1.25') {
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' },
  spec: { template: { spec: { containers: [{ name: 'web', image: image }] } } },
}
"""
DUE = Replacement(
    workload=ObjectId("apps", "Deployment", "shop", "web"),
    container="web",
    init=False,
    old=Reference.parse("nginx:1.25"),
    new="bak.example/m/library_nginx:1.25",
)


def application(jsonnet: Mapping[str, Any] | None = None, **directory: Any) -> Application:
    """An Application that deploys the folder `app` to the namespace `shop`."""
    source = {"repoURL": "https://git.example/shop", "path": "app"}
    block = {"directory": {**directory, "jsonnet": jsonnet or {}}}
    spec = {"source": {**source, **block}, "destination": {"namespace": "shop"}, "project": "team"}
    return Application.project({"metadata": {"name": "web"}, "spec": spec})


def named(
    contents: Mapping[str, str], app: Application | None = None, *, modes: Mapping[str, str] | None = None
) -> ToRead:
    """The files that are named in the end."""
    app = app or application()
    source = app.sources[0]
    tree = Tree({**dict.fromkeys(contents, "100644"), **(modes or {})})
    known: dict[str, bytes] = {}
    while True:
        found = files_to_read(app, source, tree, known, mounts=Mounts(frozenset({Place.of(source)})))
        if found.paths <= known.keys():
            return found
        known = {path: contents.get(path, "").encode() for path in found.paths}


def edited(
    renderer: LocalRenderer,
    contents: Mapping[str, str],
    app: Application | None = None,
    *,
    modes: Mapping[str, str] | None = None,
) -> ShapeResult:
    """What comes of what is due."""
    encoded = {path: content.encode() for path, content in contents.items()}
    return edit(renderer, app or application(), encoded, [DUE], modes=modes)


def refused(result: ShapeResult) -> tuple[Reason, str]:
    """Why nothing is done."""
    (refusal,) = result.refused
    assert result.edits == {}
    return refusal.reason, refusal.message


def test_what_is_imported_is_read() -> None:
    """And what that imports, but not what is named in a text; manifests stand beside it."""
    contents = {
        "app/main.jsonnet": "import 'a.libsonnet'",
        "app/a.libsonnet": "[import '../lib/b.json', importstr 'c.jsonnet.txt', import 'gone']",
        "app/c.jsonnet.txt": "import 'd'",
        "app/d": "",
        "app/web.yaml": "",
        "lib/b.json": '{"a": "import \'x\'"}',
        "lib/x": "",
    }
    found = named(contents)
    read = {"app/main.jsonnet", "app/a.libsonnet", "app/c.jsonnet.txt", "lib/b.json"}
    assert found == ToRead(
        frozenset({*read, "app/web.yaml"}), rendered=True, beside=frozenset({"app/web.yaml"})
    )


def test_libraries_are_searched_from_the_last_on_and_the_own_folder_at_last() -> None:
    """As Argo CD does: first beside the file that imports."""
    contents = {
        "app/main.jsonnet": "[import 'own', import 'both', import 'one', import 'sub/x']",
        "app/own": "",
        "one/own": "",
        "one/both": "",
        "two/both": "",
        "one/one": "",
        "app/sub/x": "import 'y'",
        "app/y": "",
    }
    app = application({"libs": ["one", "/two"]})
    assert named(contents, app).paths == contents.keys() - {"one/own", "one/both"}


def test_code_of_the_application_imports_from_libraries() -> None:
    """It is in no folder of its own; what it is given by Argo CD counts."""
    contents = {"app/main.jsonnet": "", "app/web": "", "lib/web": "import 'x'", "lib/x": "", "lib/$y": ""}
    code = {"name": "x", "value": "import '$ARGOCD_APP_NAME'", "code": True}
    text = {"name": "y", "value": "import 'y'"}
    app = application({"libs": ["lib"], "extVars": [code], "tlas": [text]})
    assert named(contents, app).paths == {"app/main.jsonnet", "lib/web", "lib/x"}


def test_a_manifest_that_is_imported_is_no_longer_beside() -> None:
    """What is made of it may change with it."""
    found = named({"app/main.jsonnet": "importstr 'web.yaml'", "app/web.yaml": ""})
    assert found.beside == frozenset()


def test_a_directory_without_programs_takes_no_renderer() -> None:
    """Its manifests are all there is."""
    assert not named({"app/web.yaml": "", "app/lib.libsonnet": ""}).rendered
    assert not named({"app/web.jsonnet": ""}, application(exclude="*.jsonnet")).rendered


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd", "/etc/passwd, which leads out of the repository"),
        ("../../x", "../../x, which leads out of the repository"),
        (f"../{ELSEWHERE}/x", f"../{ELSEWHERE}/x, which leads out of the repository"),
        ("link", "link: app/link is a symbolic link, which is not followed"),
        ("linked/x", "linked/x: app/linked is a symbolic link, which is not followed"),
        ("folder", "folder, which is no file"),
        ("module", "module, which is no file"),
    ],
)
@pytest.mark.parametrize("keyword", ["import", "importstr", "importbin"])
def test_what_is_not_read_is_named(
    jsonnet_renderer: LocalRenderer, keyword: str, name: str, why: str
) -> None:
    """Also where it would never be evaluated: only jsonnet could tell."""
    program = f"{WEB}\n + if false then\n {keyword} '{name}' else {{}}"
    contents = {"app/main.jsonnet": program, "app/folder/x": "", f"{ELSEWHERE}/x": "'secret'"}
    modes = {"app/link": "120000", "app/linked": "120000", "app/module": "160000"}
    result = edited(jsonnet_renderer, contents, modes=modes)
    assert refused(result) == (Reason.UNSUPPORTED_SOURCE, f"app/main.jsonnet, line 8, imports {why}")


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ({"libs": ["../x"]}, "libs names ../x, which leads out of the repository"),
        ({"libs": ["linked"]}, "libs names linked: linked is a symbolic link, which is not followed"),
        ({"extVars": [{"name": "a=b"}]}, "extVars[a=b] has a name that cannot be given to the program"),
        ({"tlas": [{"name": "-x"}]}, "tlas[-x] has a name that cannot be given to the program"),
        ({"tlas": [{"value": "x"}]}, "tlas[] has a name that cannot be given to the program"),
        (
            {"tlas": [{"name": "x", "value": "import '../x'", "code": True}]},
            "tlas[x], line 1, imports ../x, which leads out of the repository",
        ),
        (
            {"extVars": [{"name": "x", "value": "v-${ARGOCD_APP_REVISION_SHORT}"}]},
            "extVars[x] has ${ARGOCD_APP_REVISION_SHORT}, which only Argo CD can put something in for",
        ),
    ],
)
def test_what_cannot_be_given_to_programs_is_named(
    jsonnet_renderer: LocalRenderer, block: dict[str, Any], why: str
) -> None:
    """By the field of the Application."""
    result = edited(
        jsonnet_renderer, {"app/main.jsonnet": WEB}, application(block), modes={"linked": "120000"}
    )
    reason, message = refused(result)
    assert (reason, message) == (Reason.UNSUPPORTED_SOURCE, f"spec.source.directory.jsonnet.{why}")


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("$ARGOCD_APP_NAME-x", "web-x"),
        ("${ARGOCD_APP_NAME}x", "webx"),
        ("no dollar", "no dollar"),
        ("$ARGOCD_APP_NAMEx", None),
        ("$$", None),
        ("$HOME", None),
        ("a$", None),
        ("${", None),
        ("$1", None),
        ("$ODD", None),
    ],
)
def test_names_that_argo_cd_knows_are_filled_in(value: str, filled: str | None) -> None:
    """As Argo CD does; what it would make otherwise each time is refused."""
    block = JsonnetBlock(variables=(Variable("x", value),))
    known = {"ARGOCD_APP_NAME": "web", "ODD": "a$b"}
    if filled is None:
        with pytest.raises(UnusableVariable):
            block.filled(known)
    else:
        assert block.filled(known).variables == (Variable("x", filled),)


def test_programs_have_limits(jsonnet_renderer: LocalRenderer) -> None:
    """Of what they import, and of how many they are in one source."""
    many = {f"app/{number}.jsonnet": WEB for number in range(MOST_PROGRAMS + 1)}
    reason, message = refused(edited(jsonnet_renderer, many))
    assert message == "there are more than 200 programs of jsonnet in one source"
    bomb = "[" + ",".join(f"import '{number}'" for number in range(imports.MOST_IMPORTS + 1)) + "]"
    reason, message = refused(edited(jsonnet_renderer, {"app/main.jsonnet": bomb}))
    assert (reason, message) == (
        Reason.UNSUPPORTED_SOURCE,
        "app/main.jsonnet and what it imports name more than 2000 files",
    )


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import 'main.jsonnet'", "max stack frames exceeded"),
        ("{", "Unexpected: end of file"),
        ("import 'gone'", "couldn't open import"),
        ("{ 'web.json': { kind: 'A' } }", "what it evaluates to is no object with a kind"),
        ("[[]]", "item 1 of what it evaluates to is no object with a kind"),
        ("'text'", "what it evaluates to is no object with a kind"),
        ("{ kind: 'List', items: [1] }", "item 1 lists what is no object"),
        ("function(x) x", "Missing argument: x"),
        ("std.native('exec')('id')", "Unexpected type null, expected function"),
    ],
)
def test_a_program_that_cannot_be_evaluated_is_named(
    jsonnet_renderer: LocalRenderer, program: str, why: str
) -> None:
    """Argo CD refuses the same."""
    contents = {"app/main.jsonnet": program, "app/web.libsonnet": WEB}
    reason, message = refused(edited(jsonnet_renderer, contents))
    assert reason == Reason.RENDER_FAILED
    assert message.startswith("app/main.jsonnet cannot be evaluated: ")
    assert why in message


def test_manifests_beside_a_program_that_fails_are_edited(jsonnet_renderer: LocalRenderer) -> None:
    """Each is edited by itself."""
    contents = {"app/main.jsonnet": "{", "app/web.yaml": deployment("image: nginx:1.25")}
    assert list(edited(jsonnet_renderer, contents).edits) == ["app/web.yaml"]


def test_manifests_are_edited_where_there_is_no_jsonnet(tmp_path: Path) -> None:
    """What the programs would make is not known then."""
    contents = {"app/main.jsonnet": WEB, "app/web.yaml": deployment("image: nginx:1.25")}
    renderer = LocalRenderer(scratch=tmp_path)
    assert list(edited(renderer, contents).edits) == ["app/web.yaml"]
    _, message = refused(edited(renderer, {"app/main.jsonnet": WEB}))
    assert message == "app/main.jsonnet cannot be evaluated: jsonnet is not installed"


def test_a_program_can_be_left_out(jsonnet_renderer: LocalRenderer) -> None:
    """By the marker that holds for all files."""
    contents = {"app/main.jsonnet": f"// +argocd:skip-file-rendering\n{WEB}"}
    reason, _ = refused(edited(jsonnet_renderer, contents))
    assert reason == Reason.NOT_FOUND_IN_SOURCE


def test_a_parameter_file_can_name_libraries(jsonnet_renderer: LocalRenderer) -> None:
    """It is merged over what the Application says."""
    contents = {
        "app/main.jsonnet": "import 'web.libsonnet'",
        "lib/web.libsonnet": WEB,
        "app/.argocd-source.yaml": "directory: {jsonnet: {libs: [lib]}}",
    }
    app = application(include="*.jsonnet")
    assert list(edited(jsonnet_renderer, contents, app).edits) == ["lib/web.libsonnet"]


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ('{"kind": "A", "metadata": {"name": "a"}}', ["a"]),
        ('[{"kind": "A", "metadata": {"name": "a"}}, null, {"kind": "B"}]', ["a", ""]),
        ('{"kind": "List", "items": [{"kind": "A", "metadata": {"name": "a"}}, {"kind": "B"}]}', ["a", ""]),
        ("null", []),
        ("[]", []),
        ('{"kind": "List", "items": []}', []),
    ],
)
def test_objects_are_taken_as_argo_cd_takes_them(output: str, names: list[str]) -> None:
    """One, or a list with nulls, or what has items."""
    assert [each.identity.name for each in read_json(output.encode(), namespace="shop")] == names


@pytest.mark.parametrize("output", ["{", "1", "[1]", "{}", '[{"kind": ""}]', "[" * 100_000])
def test_what_is_no_object_is_refused(output: str) -> None:
    """As Argo CD does."""
    with pytest.raises(InvalidRendering):
        read_json(output.encode(), namespace="shop")


def test_a_number_is_not_its_text() -> None:
    """Nor is a truth value."""
    texts = read_json(b'{"kind": "A", "a": ["1", "true", "null"]}', namespace="")
    others = read_json(b'{"kind": "A", "a": [1, true, null]}', namespace="")
    assert texts[0].content["a"] != others[0].content["a"]
