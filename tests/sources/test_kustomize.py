"""Kustomizations as a whole, rendered by a real kustomize: folders before and after, one per spelling."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.domain.reasons import Reason
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.kustomize.editing import edit_kustomization
from gitops_backup.sources.kustomize.kustomizations import FILE_NAMES, Kustomization, in_flow_style
from gitops_backup.sources.kustomize.options import KustomizeOptions, applied, effective_images
from gitops_backup.sources.rendering import Files, HelmOptions, JsonnetOptions, Renderer, RenderFailed
from gitops_backup.sources.replacements import ShapeResult
from tests.sources.kustomizing import edited, of, site_of, tree_of, workload
from tests.sources.overlays import DIGEST
from tests.sources.samples import NEW, OLD, replacement
from tests.sources.test_shapes import files, outcomes, wanted

GOLDEN = sorted((Path(__file__).parent / "golden" / "kustomize").iterdir())


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_a_kustomization_becomes_what_it_should(folder: Path, renderer: LocalRenderer) -> None:
    """Each file ends as in `after`, what is rendered then is `rendering.yaml`, and nothing is left to do."""
    before, after = files(folder / "before"), files(folder / "after")
    source = Application.project(yaml.safe_load((folder / "application.yaml").read_text())).sources[0]
    copies = yaml.safe_load((folder / "copies.yaml").read_text()) if (folder / "copies.yaml").exists() else {}
    expected = dict(wanted(folder / "wanted.yaml"))

    def edit(contents: Mapping[str, bytes]) -> ShapeResult:
        return edited(
            contents, renderer, list(expected), folder=source.path, options=source.kustomize, copies=copies
        )

    result = edit(before)
    assert outcomes(result) == expected
    assert {**before, **result.edits} == after
    assert (
        built(after, source.path, source.kustomize, renderer).decode()
        == (folder / "rendering.yaml").read_text()
    )
    again = edit(after)
    assert again.edits == {}
    assert {*again.done} == {*result.done, *(each.replacement for each in result.replaced)}


def built(files: Mapping[str, bytes], folder: str, options: KustomizeOptions, renderer: Renderer) -> bytes:
    """What is rendered of a folder, with the Application's own options."""
    path = next(f"{folder}/{name}" for name in FILE_NAMES if f"{folder}/{name}" in files)
    fields = Kustomization.read(path, files[path]).fields()
    changed = applied(fields, options, exists=lambda name: "gone" not in name)
    changed.pop("imagetags", None)
    changed["images"] = [entry.says for entry in effective_images(fields, options)]
    return renderer.kustomize({**files, path: in_flow_style(changed).encode()}, folder)


K = "app/kustomization.yaml"
PLAIN = {K: "resources: [web.yaml]\n", "app/web.yaml": workload(OLD)}


@dataclass
class Counting:
    """Counts what a renderer is asked for."""

    renderer: Renderer
    asked: int = 0

    def kustomize(self, files: Files, folder: str, *, again: bool = False) -> bytes:
        """What the renderer renders."""
        self.asked += 1
        return self.renderer.kustomize(files, folder, again=again)

    def helm(self, files: Files, folder: str, options: HelmOptions, *, again: bool = False) -> bytes:
        """Nothing here has to do with Helm."""
        raise RenderFailed("no charts")

    def jsonnet(self, files: Files, path: str, options: JsonnetOptions, *, again: bool = False) -> bytes:
        """Nor with jsonnet."""
        raise RenderFailed("no programs")


def test_two_renderings_are_enough_without_entries(renderer: LocalRenderer) -> None:
    """The baseline and the proof; entries that are there take one more, and nothing to do takes one."""
    counting = Counting(renderer)
    result = edited(PLAIN, counting)
    assert counting.asked == 2
    edited({**PLAIN, **result.edits}, counting)
    assert counting.asked == 3
    edited(PLAIN | {K: "resources: [web.yaml]\nimages: [{name: nginx, newTag: '1.25'}]\n"}, counting)
    assert counting.asked == 6


def test_what_must_not_be_read_is_never_rendered(renderer: LocalRenderer) -> None:
    """The reason says where it is asked for."""
    counting = Counting(renderer)
    result = edited(PLAIN | {K: "resources:\n- web.yaml\n- https://x.example/y\n"}, counting)
    assert reasons(result) == [
        (
            Reason.UNSUPPORTED_SOURCE,
            f"{K}, line 3, names https://x.example/y, which is not in this repository, and is not fetched",
        )
    ]
    assert counting.asked == 0


def test_what_cannot_be_read_is_never_rendered(renderer: LocalRenderer) -> None:
    """A file that is in the tree, and whose content is not known."""
    counting = Counting(renderer)
    site = site_of(tree_of(PLAIN), {K: PLAIN[K].encode()}, counting)
    result = edit_kustomization([replacement()], site, KustomizeOptions(), copies={})
    assert reasons(result) == [(Reason.UNSUPPORTED_SOURCE, "app/web.yaml is not a file that can be read")]
    assert counting.asked == 0


def test_what_kustomize_refuses_is_told_in_its_words(renderer: LocalRenderer) -> None:
    """The message is kustomize's own."""
    result = edited(PLAIN | {K: "resources: [web.yaml]\nimages: [{name: x, newTag: 1.10}]\n"}, renderer)
    ((reason, message),) = reasons(result)
    assert reason == Reason.RENDER_FAILED
    assert message.startswith("app cannot be rendered: kustomize says: invalid Kustomization: json: cannot ")


def test_options_that_do_not_fit_are_named(renderer: LocalRenderer) -> None:
    """Argo CD cannot render it, either."""
    files = PLAIN | {K: "resources: [web.yaml]\ncommonLabels: {a: b}\n"}
    options = KustomizeOptions.project({"commonLabels": {"a": "c"}}, place="spec.sources[1].kustomize")
    assert reasons(edited(files, renderer, options=options)) == [
        (
            Reason.UNSUPPORTED_SOURCE,
            "spec.sources[1].kustomize.commonLabels has a, which the kustomization has, too",
        )
    ]


def test_options_are_not_written_to_git(renderer: LocalRenderer) -> None:
    """What is edited is what is in the repository; what is rendered has the options."""
    options = KustomizeOptions.project({"namePrefix": "x-", "namespace": "live"})
    web = of("x-web", namespace="live")
    result = edited(PLAIN, renderer, [replacement(web)], options=options)
    assert result.edits[K].decode() == f"{PLAIN[K]}{IMAGES}"
    assert [use.workload for use in result.images] == [web]


IMAGES = "images:\n- name: nginx\n  newName: bak.example/m/library_nginx\n"


def test_another_workload_on_another_version_has_to_be_copied(renderer: LocalRenderer) -> None:
    """An entry is for a name, whatever the version; what nobody will ever copy is not waited for."""
    files = PLAIN | {
        K: "resources: [web.yaml, db.yaml]\nimages:\n- name: nginx\n  newName: nginx\n",
        "app/db.yaml": workload("nginx:1.24", kind="StatefulSet", name="db"),
    }
    what = f"{K}, line 3: with it would change nginx:1.24 of %s shop/db, container web, of which there is no"
    never = f"{what % 'StatefulSet'} verified copy: only images of Deployments and DaemonSets are copied"
    assert reasons(edited(files, renderer)) == [(Reason.SHARED_SCALAR, never)]
    waits = files | {"app/db.yaml": workload("nginx:1.24", kind="DaemonSet", name="db")}
    expected = (Reason.BACKUP_PENDING, f"{what % 'DaemonSet'} verified copy yet")
    assert reasons(edited(waits, renderer)) == [expected]
    copies = {"nginx:1.24": "bak.example/m/library_nginx:1.24"}
    result = edited(files, renderer, copies=copies)
    assert [(use.workload, use.before, use.now) for use in result.replaced[0].also] == [
        (of("db", kind="StatefulSet"), "nginx:1.24", "bak.example/m/library_nginx:1.24")
    ]
    assert [use.now for use in result.images] == [NEW, "bak.example/m/library_nginx:1.24"]
    assert result.replaced[0].line == 4


def test_an_entry_for_many_names_gets_none(renderer: LocalRenderer) -> None:
    """Whatever image is added tomorrow would become that one."""
    files = PLAIN | {K: "resources: [web.yaml]\nimages:\n- name: '.*'\n  newTag: '1.25'\n"}
    added = "- name: nginx\n  newName: bak.example/m/library_nginx\n"
    assert edited(files, renderer).edits[K].decode() == f"{files[K]}{added}"


def test_a_copy_by_another_name_is_no_copy(renderer: LocalRenderer) -> None:
    """What an entry would set has to be the very copy that is known."""
    files = PLAIN | {
        K: "resources: [web.yaml, db.yaml]\n",
        "app/db.yaml": workload("nginx:1.24", kind="StatefulSet", name="db"),
    }
    result = edited(files, renderer, copies={"nginx:1.24": "bak.example/m/nginx:1.24"})
    assert [reason for reason, _ in reasons(result)] == [Reason.PROOF_FAILED]


def test_the_version_stays_where_it_is(renderer: LocalRenderer) -> None:
    """A copy with another tag, or with a digest, is none that a new name alone can give."""
    for new in ("bak.example/m/library_nginx:1.25-amd64", f"bak.example/m/library_nginx:1.25@{DIGEST}"):
        assert reasons(edited(PLAIN, renderer, [replacement(new=new)])) == [
            (Reason.PROOF_FAILED, f"{K}: {new} is another version than nginx:1.25, which is to stay")
        ]


def test_one_name_has_one_copy(renderer: LocalRenderer) -> None:
    """Two new names for one name cannot both be had."""
    files = PLAIN | {"app/web.yaml": workload(OLD, "nginx:1.24")}
    other = replacement(container="web1", old="nginx:1.24", new="bak.example/m/other:1.24")
    message = (
        f"{K}: an entry of images gives nginx one new name, not bak.example/m/library_nginx and "
        "bak.example/m/other"
    )
    expected = [(Reason.SHARED_SCALAR, message)] * 2
    assert reasons(edited(files, renderer, [replacement(), other])) == expected


def test_an_entry_that_another_builds_on_stays(renderer: LocalRenderer) -> None:
    """Where its new name would keep another entry from applying, an entry of its own is added."""
    entries = "images:\n- {name: nginx, newName: a}\n- {name: 'a:1', newTag: '9'}\n"
    files = {K: f"resources: [web.yaml]\n{entries}", "app/web.yaml": workload("nginx:2", "nginx:1")}
    wanted = [
        replacement(old="a:2", new="bak.example/m/a:2"),
        replacement(container="web1", old="a:9", new="bak.example/m/a:9"),
    ]
    result = edited(files, renderer, wanted)
    assert result.refused == ()
    assert result.edits[K].decode() == f"{files[K]}- name: a\n  newName: bak.example/m/a\n"


def test_an_entry_that_is_merged_stays(renderer: LocalRenderer) -> None:
    """An anchor's value is others' too, so an entry of its own is added."""
    entries = "images:\n- &e\n  name: redis\n  newTag: '1.25'\n- <<: *e\n- <<: *e\n  name: nginx\n"
    files = {K: f"resources: [web.yaml]\n{entries}", "app/web.yaml": workload("redis:1", "nginx:1")}
    wanted = [
        replacement(old="redis:1.25", new="bak.example/m/redis:1.25"),
        replacement(container="web1"),
    ]
    result = edited(files, renderer, wanted)
    assert result.refused == ()
    assert result.edits[K].decode() == (
        f"resources: [web.yaml]\n{entries}  newName: bak.example/m/library_nginx\n"
        "- name: redis\n  newName: bak.example/m/redis\n"
    )


def test_a_list_with_an_anchor_stays(renderer: LocalRenderer) -> None:
    """What would change two lists at once has no place."""
    files = PLAIN | {K: "resources: [web.yaml]\nimages: &i\n- name: redis\n  newTag: '7'\nimageTags: *i\n"}
    message = (
        f"{K}: the edited file would not do: {K} has no place for the entry that leaves the rest as it is"
    )
    assert reasons(edited(files, renderer)) == [(Reason.PROOF_FAILED, message)]


def test_what_is_not_due_says_why(renderer: LocalRenderer) -> None:
    """A workload that is not there, and one that says something else by now."""
    missing = replacement(of("gone"))
    newer = replacement(old="nginx:1.24", new="bak.example/m/library_nginx:1.24")
    says = f"{K} renders nginx:1.25 for {newer}, not docker.io/library/nginx:1.24"
    assert reasons(edited(PLAIN, renderer, [missing, newer])) == [
        (Reason.NOT_FOUND_IN_SOURCE, f"{K} renders no Deployment shop/gone, container web"),
        (Reason.AWAITING_SYNC, says),
    ]


@settings(max_examples=200)
@given(
    images=st.recursive(
        st.sampled_from(
            ["nginx", "a: b", "~", "1", "''", "*a", "&a b", "{name: nginx}", "{name: [x], newName: y}"]
        ),
        lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        max_leaves=5,
    ),
    field=st.sampled_from(["images", "imageTags", "Images", "labels", "replicas", "patches", "components"]),
    images_too=st.booleans(),
)
def test_garbage_ends_in_a_reason(images: str, field: str, images_too: bool) -> None:
    """Whatever stands there, and whatever the Application adds, there is an edit or a reason."""
    entries = "images: [{name: redis}]\n" if images_too and field.lower() != "images" else ""
    files = {**PLAIN, K: f"resources: [web.yaml]\n{field}: {images}\n{entries}"}
    block = {
        "images": ["redis:8"],
        "commonLabels": {"a": "b"},
        "labelWithoutSelector": True,
        "replicas": [{"name": "web", "count": 1}],
        "components": ["x"],
        "ignoreMissingComponents": True,
        "patches": [{"patch": "x"}],
    }
    for options in (KustomizeOptions(), KustomizeOptions.project(block)):
        result = edited(files, Same(workload(OLD).encode()), options=options)
        assert len(result.refused) == 1
        assert result.edits == {}


@dataclass(frozen=True)
class Same:
    """Renders the same, whatever it is given."""

    output: bytes

    def kustomize(self, files: Files, folder: str, *, again: bool = False) -> bytes:
        """The same."""
        return self.output

    def helm(self, files: Files, folder: str, options: HelmOptions, *, again: bool = False) -> bytes:
        """The same."""
        return self.output

    def jsonnet(self, files: Files, path: str, options: JsonnetOptions, *, again: bool = False) -> bytes:
        """The same."""
        return self.output


def reasons(result: ShapeResult) -> list[tuple[Reason, str]]:
    """Why nothing was edited."""
    assert (result.edits, result.replaced) == ({}, ())
    return [(refused.reason, refused.message) for refused in result.refused]
