"""Drafts where ApplicationSets say images of the Applications that they generate."""

from dataclasses import replace
from functools import partial

import pytest

from gitops_backup.controller.contents import Contents
from gitops_backup.controller.drafting import Draft, draft
from gitops_backup.controller.evidence import Surroundings
from gitops_backup.controller.families import FamilyDisturbed, check_family
from gitops_backup.controller.generating import Family, generate
from gitops_backup.controller.parts import Part
from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.sets import read_sets
from gitops_backup.sources.makers.sets import SetMaker
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.trees import Tree
from tests.controller.cluster import workload
from tests.controller.memory import COMMIT, MemoryBranch, manifest
from tests.controller.test_drafting import part_of

_SET = b"""\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: shop}
spec:
  generators:
  - git:
      repoURL: https://git.example/shop
      revision: HEAD
      files: [{path: env/*.json}]
  - list:
      elements:
      - {name: test, image: "nginx:1.25"}
  template:
    metadata: {name: "{{name}}"}
    spec:
      source:
        repoURL: https://git.example/shop
        path: base
        kustomize: {images: ["web={{image}}"]}
      destination: {server: https://kubernetes.default.svc, namespace: shop}
"""
_ENV = b'[{"name": "dev", "image": "nginx:1.25"},\n {"name": "prod", "image": "redis:7"}]'


@pytest.fixture
def branch() -> MemoryBranch:
    """A set of three Applications, two of them from a file."""
    return MemoryBranch(
        {
            "set.yaml": _SET,
            "env/all.json": _ENV,
            "base/kustomization.yaml": b"resources: [web.yaml]\n",
            "base/web.yaml": manifest("web", "web"),
        }
    )


def _evaluated(
    branch: MemoryBranch, renderer: Renderer, path: str = "set.yaml", clusters: tuple[()] | None = ()
) -> SetMaker:
    sets = read_sets(path, branch.files[path], namespace="argocd")
    (found,) = generate(
        branch,
        COMMIT,
        sets,
        manifests=branch.files,
        clusters=clusters,
        is_here=lambda *_: True,
        renderer=renderer,
    )
    return found


def _family(branch: MemoryBranch, renderer: Renderer) -> Family:
    maker = _evaluated(branch, renderer)
    names = [each.name for each in maker.evaluation.generated]
    return Family(maker, members={f"argocd/{name}": name for name in names})


def _part(family: Family, name: str, image: str) -> Part:
    made = family.maker.applications()[name]
    return part_of(Application.project(made), workload("web", image))


def _drafted(branch: MemoryBranch, renderer: Renderer, **images: str) -> Draft:
    family = _family(branch, renderer)
    parts = [_part(family, name, image) for name, image in images.items()]
    return draft(branch, COMMIT, parts, renderer=renderer, families=[family])


def test_a_set_is_edited_for_all_its_applications(branch: MemoryBranch, renderer: Renderer) -> None:
    """Each where the image is: an element of a file, or of the set's list."""
    drafted = _drafted(branch, renderer, dev="nginx:1.25", prod="redis:7", test="nginx:1.25")
    assert drafted.files == {
        "set.yaml": _SET.replace(b'"nginx:1.25"', b'"bak.example/m/library_nginx:1.25"'),
        "env/all.json": b'[{"name": "dev", "image": "bak.example/m/library_nginx:1.25"},\n'
        b' {"name": "prod", "image": "bak.example/m/library_redis:7"}]',
    }
    assert {c.application: (w.path, w.line) for c, w in drafted.places.items()} == {
        "argocd/dev": ("env/all.json", 1),
        "argocd/prod": ("env/all.json", 2),
        "argocd/test": ("set.yaml", 12),
    }
    assert (drafted.left, drafted.along, drafted.generated) == (
        [],
        [],
        {"argocd/dev", "argocd/prod", "argocd/test"},
    )


def test_what_a_set_says_already_is_done(branch: MemoryBranch, renderer: Renderer) -> None:
    """The Application was not generated anew since then."""
    family = _family(branch, renderer)
    part = _part(family, "test", "nginx:1.25")
    branch.files["set.yaml"] = _SET.replace(b'"nginx:1.25"', b'"bak.example/m/library_nginx:1.25"')
    drafted = draft(branch, COMMIT, [part], renderer=renderer, families=[_family(branch, renderer)])
    assert (drafted.files, drafted.left) == ({}, [])
    assert [each.application for each in drafted.done] == ["argocd/test"]


def test_a_literal_waits_for_the_copies_of_all_it_sets(branch: MemoryBranch, renderer: Renderer) -> None:
    """A template's is in every Application, on whatever tag each is."""
    template = _SET.replace(b'"web={{image}}"', b'"web=nginx"').replace(b"path: base", b"path: '{{folder}}'")
    branch.files["set.yaml"] = template.replace(b'image: "nginx:1.25"', b"folder: base")
    branch.files["env/all.json"] = b'{"name": "dev", "folder": "other"}'
    branch.files |= {
        "base/web.yaml": manifest("web", "web:1.25"),
        "other/kustomization.yaml": b"resources: [web.yaml]\n",
        "other/web.yaml": manifest("web", "web:1.26"),
    }
    drafted = _drafted(branch, renderer, test="nginx:1.25")
    assert not drafted.files
    (left,) = drafted.left
    assert left.reason == "BackupPending"
    assert left.message == (
        "spec.source.kustomize.images[0] of the live Application sets web=nginx: set.yaml, line 19,"
        " also sets nginx:1.26 of the Application dev, of which there is no verified copy yet"
    )
    both = _drafted(branch, renderer, test="nginx:1.25", dev="nginx:1.26")
    assert list(both.files) == ["set.yaml"]


def test_the_set_of_a_generated_application_is_named(branch: MemoryBranch, renderer: Renderer) -> None:
    """Where its manifest is not at hand."""
    part = _part(_family(branch, renderer), "test", "nginx:1.25")
    generated = replace(part, application=replace(part.application, generator="shop"))
    (left,) = draft(branch, COMMIT, [generated], renderer=renderer).left
    assert left.reason == "Overridden"
    assert left.message == (
        "spec.source.kustomize.images[0] of the live Application sets web=nginx:1.25;"
        " the ApplicationSet argocd/shop generates it, and is to be changed"
    )


def test_another_set_that_reads_an_edited_file_holds_the_edit(
    branch: MemoryBranch, renderer: Renderer
) -> None:
    """What it would generate is proven, too: here an Application that would say something else."""
    other = _SET.replace(b"{name: shop}", b"{name: other}").replace(b'["web={{image}}"]', b"[]")
    noted = b'metadata: {name: "{{name}}", annotations: {uses: "{{image}}"}}'
    branch.files["other.yaml"] = other.replace(b'metadata: {name: "{{name}}"}', noted)
    own = _family(branch, renderer)
    twin = Family(_evaluated(branch, renderer, "other.yaml"))
    parts = [_part(own, "dev", "nginx:1.25"), _part(own, "test", "nginx:1.25")]
    drafted = draft(branch, COMMIT, parts, renderer=renderer, families=[own, twin])
    assert list(drafted.files) == ["set.yaml"]
    (left,) = drafted.left
    assert (left.change.application, left.reason) == ("argocd/dev", "ProofFailed")
    assert left.message == (
        "env/all.json, line 1, is read for the ApplicationSet argocd/other, too:"
        " an Application that is generated would change in more than its values and images"
    )
    alone = draft(branch, COMMIT, parts, renderer=renderer, families=[own])
    assert sorted(alone.files) == ["env/all.json", "set.yaml"]


@pytest.mark.parametrize("why", ["", "it is another"])
def test_a_set_is_edited_beside_one_that_is_not(branch: MemoryBranch, renderer: Renderer, why: str) -> None:
    """Which cannot be evaluated, or is not in the cluster as it is here, and reads other files."""
    other = _SET.replace(b"{name: shop}", b"{name: other}").replace(b"env/*", b"other/*")
    branch.files["other.yaml"] = other if why else other.replace(b"  - list:", b"  - clusters: {}\n  - list:")
    branch.files["other/all.json"] = b'{"name": "other", "image": "nginx:1.25"}'
    own = _family(branch, renderer)
    sets = [
        each
        for path in ("set.yaml", "other.yaml")
        for each in read_sets(path, branch.files[path], namespace="a")
    ]
    both = generate(
        branch,
        COMMIT,
        sets,
        manifests=branch.files,
        clusters=None,
        is_here=lambda *_: True,
        renderer=renderer,
    )
    families = [replace(own, maker=both[0]), Family(both[1], disagreement=why)]
    parts = [_part(own, "dev", "nginx:1.25"), _part(own, "test", "nginx:1.25")]
    drafted = draft(branch, COMMIT, parts, renderer=renderer, families=families)
    assert drafted.left == []
    assert sorted(drafted.files) == ["env/all.json", "set.yaml"]


def test_a_set_that_cannot_be_evaluated_holds_edits_of_what_it_says_alone(renderer: Renderer) -> None:
    """Not those of something else in its file."""
    manifest = _SET.replace(b"  - list:", b"  - clusters: {}\n  - list:")
    branch = MemoryBranch({"set.yaml": manifest})
    family = Family(_evaluated(branch, renderer, clusters=None))
    tree = Tree({"set.yaml": "100644"})
    contents = Contents(tuple, identify=lambda _: None, read=partial(branch.read, COMMIT))
    here = Surroundings(tree, contents, Mounts(frozenset()), renderer)
    check_family(family, here=here, edits={"set.yaml": manifest + b"---\nkind: Other\n"})
    with pytest.raises(FamilyDisturbed, match="cluster"):
        check_family(family, here=here, edits={"set.yaml": manifest.replace(b"nginx:1.25", b"nginx:1.26")})


def test_a_set_that_is_in_the_cluster_otherwise_holds_edits_of_what_it_says(
    branch: MemoryBranch, renderer: Renderer
) -> None:
    """By whatever is due, as what would become of its Applications is not known."""
    family = replace(_family(branch, renderer), disagreement="it is another")
    part = _part(family, "dev", "nginx:1.25")
    drafted = draft(branch, COMMIT, [part], renderer=renderer, families=[family])
    assert not drafted.files
    (left,) = drafted.left
    assert left.reason == "ClustersDiffer"
    assert left.message.endswith(": the ApplicationSet argocd/shop is left as it is, as it is another")
    edits = {"env/all.json": _ENV.replace(b"nginx:1.25", b"bak.example/m/library_nginx:1.25")}
    tree = Tree(dict.fromkeys(branch.files, "100644"))
    contents = Contents(tuple, identify=lambda _: None, read=partial(branch.read, COMMIT))
    with pytest.raises(FamilyDisturbed, match="it is another"):
        check_family(family, here=Surroundings(tree, contents, Mounts(frozenset()), renderer), edits=edits)
