"""Drafts of directories with programs of jsonnet: all that import what is edited are evaluated."""

from gitops_backup.controller.drafting import Draft, draft
from gitops_backup.domain.reasons import Reason
from gitops_backup.rendering.renderer import LocalRenderer
from tests.controller.cluster import application, source, workload
from tests.controller.memory import COMMIT, MemoryBranch, manifest
from tests.controller.test_drafting import part_of

_URL = "https://git.example/shop"
_LIBRARY = b"""
{
  image:: 'nginx:1.25',
  web(name):: {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: name },
    spec: { template: { spec: { containers: [{ name: 'c0', image: $.image }] } } },
  },
}
"""
_LIBRARY_AFTER = _LIBRARY.replace(b"nginx", b"bak.example/m/library_nginx")
_FILES = {
    "lib/web.libsonnet": _LIBRARY,
    "one/main.jsonnet": b"(import '../lib/web.libsonnet').web('one')",
    "two/main.jsonnet": b"(import '../lib/web.libsonnet').web('two')",
}


def drafted(
    renderer: LocalRenderer, files: dict[str, bytes], due: list[str], readers: tuple[str, ...] = ()
) -> Draft:
    """A draft for these Applications, each of a folder of its own; nothing is due for the readers."""
    parts = [
        part_of(application(name, source(_URL, name)), workload(name, "nginx:1.25"))
        if name in due
        else part_of(application(name, source(_URL, name)))
        for name in (*due, *readers)
    ]
    count = len(due)
    return draft(MemoryBranch(files), COMMIT, parts[:count], readers=parts[count:], renderer=renderer)


def test_a_library_is_edited_once_for_all_that_import_it(jsonnet_renderer: LocalRenderer) -> None:
    """Each Application has its change on record."""
    made = drafted(jsonnet_renderer, _FILES, ["one", "two"])
    assert made.files == {"lib/web.libsonnet": _LIBRARY_AFTER}
    assert (len(made.edited), made.left) == (2, [])


def test_an_application_that_imports_the_same_is_told(jsonnet_renderer: LocalRenderer) -> None:
    """What changes for it is its verified copy, too."""
    made = drafted(jsonnet_renderer, _FILES, ["one"], ("two",))
    assert made.files == {"lib/web.libsonnet": _LIBRARY_AFTER}
    assert ["two" in str(each) for each in made.along] == [True]


def test_an_application_that_would_change_otherwise_is_in_the_way(jsonnet_renderer: LocalRenderer) -> None:
    """It makes more of the text than an image."""
    odd = b"local lib = import '../lib/web.libsonnet'; lib.web('two') { kind: 'Pod' + std.length(lib.image) }"
    made = drafted(jsonnet_renderer, {**_FILES, "two/main.jsonnet": odd}, ["one"], ("two",))
    assert made.files == {}
    (left,) = made.left
    assert left.reason == Reason.PROOF_FAILED
    assert "lib/web.libsonnet, line 3, is read for the Application argocd/two, too: " in left.message


def test_an_application_that_cannot_be_evaluated_is_in_the_way(jsonnet_renderer: LocalRenderer) -> None:
    """Nobody could tell what becomes of it."""
    broken = _FILES["two/main.jsonnet"] + b" + error 'broken'"
    made = drafted(jsonnet_renderer, {**_FILES, "two/main.jsonnet": broken}, ["one"], ("two",))
    assert made.files == {}
    assert "two/main.jsonnet cannot be evaluated: " in made.left[0].message


def test_manifests_beside_are_nothing_to_programs(jsonnet_renderer: LocalRenderer) -> None:
    """They are edited beside one that cannot be evaluated; but not where one imports them."""
    files = {"one/main.jsonnet": b"error 'broken'", "one/web.yaml": manifest("one", "nginx:1.25")}
    assert list(drafted(jsonnet_renderer, files, ["one"]).files) == ["one/web.yaml"]
    files["one/main.jsonnet"] = b"importstr 'web.yaml'"
    made = drafted(jsonnet_renderer, files, ["one"])
    assert made.files == {}
    assert "one/main.jsonnet cannot be evaluated: " in made.left[0].message


def test_a_manifest_that_a_program_makes_something_of_stays(jsonnet_renderer: LocalRenderer) -> None:
    """Where that would change in more than an image."""
    program = b"{ kind: 'ConfigMap', data: { all: importstr 'web.yaml' } }"
    files = {"one/main.jsonnet": program, "one/web.yaml": manifest("one", "nginx:1.25")}
    made = drafted(jsonnet_renderer, files, ["one"])
    assert made.files == {}
    assert "more than images would change: ConfigMap" in made.left[0].message
