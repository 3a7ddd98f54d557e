"""Values that are in no file which can be written: one that Argo CD reads beside the chart overrules them."""

from collections.abc import Mapping
from typing import Any

import pytest

from gitops_backup.domain.reasons import Reason
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.places import Place
from gitops_backup.sources.replacements import ShapeResult
from tests.sources.charts import edit
from tests.sources.samples import replacement
from tests.sources.test_helm import chart

URL = "https://values.example/team.yaml"
SAYS = b"image:\n  repository: nginx\n  tag: '1.25'\n"
DEFAULTS = b"image:\n  repository: other\n  tag: ''\n"
OWN = "app/.argocd-source-web.yaml"
HEAD = b"# Argo CD merges this over the source of the Application web, and of no other.\n"
ADDED = b"helm:\n  valuesObject:\n    image:\n      repository: bak.example/m/library_nginx\n"


def edited(
    renderer: LocalRenderer,
    *,
    name: str = "web",
    namespace: str = "argocd",
    more: Mapping[str, bytes] | None = None,
    says: bytes = SAYS,
    template: str | None = None,
    files: tuple[str, ...] = (URL,),
    shared: frozenset[str] = frozenset(),
    others: tuple[Mapping[str, Any], ...] = (),
    pinned: Mapping[str, bytes] | None = None,
    **helm: Any,
) -> ShapeResult:
    """What comes of a chart whose value file at a URL says this.

    `others` are further sources, of which those at a tag have the files that are `pinned`.
    """
    source = {"repoURL": "https://git.example/shop", "path": "app"}
    spec = {
        "sources": [{**source, "helm": {"valueFiles": list(files), **helm}}, *others],
        "destination": {"namespace": "shop"},
    }
    app = Application.project({"metadata": {"name": name, "namespace": namespace}, "spec": spec})
    elsewhere: dict[Place, Mapping[str, bytes]] = {Place.of_file(URL): {"values.yaml": says}}
    elsewhere |= {Place.of(each): pinned or {} for each in app.sources if each.target_revision}
    its_chart = chart(values=DEFAULTS) if template is None else chart(template, values=DEFAULTS)
    tree = {**its_chart, **{f"app/{path}": content for path, content in (more or {}).items()}}
    return edit(renderer, app, tree, [replacement()], elsewhere=elsewhere, shared=shared)


def why(result: ShapeResult) -> tuple[Reason, str]:
    """Why nothing is written."""
    assert (result.edits, result.replaced) == ({}, ())
    (refused,) = result.refused
    return refused.reason, refused.message


def test_a_file_is_made_where_no_other_can_say_it(helm_renderer: LocalRenderer) -> None:
    """For this Application alone, with the name and not the tag, so that it goes on to be upgraded."""
    result = edited(helm_renderer)
    assert result.edits == {OWN: HEAD + ADDED}
    (replaced,) = result.replaced
    assert (replaced.path, replaced.line) == (OWN, 5)


def test_it_is_called_as_argo_cd_calls_the_application(helm_renderer: LocalRenderer) -> None:
    """Outside of Argo CD's own namespace, with the namespace in front."""
    assert list(edited(helm_renderer, namespace="team").edits) == ["app/.argocd-source-team_web.yaml"]


def test_a_file_that_is_there_gets_the_key(helm_renderer: LocalRenderer) -> None:
    """And keeps what it says otherwise; nothing more of it is needed than room."""
    there = b"helm:\n  parameters: [] # none\n"
    result = edited(helm_renderer, more={".argocd-source-web.yaml": there})
    assert result.edits == {OWN: there + ADDED.removeprefix(b"helm:\n")}


def test_a_file_for_all_applications_is_left_alone(helm_renderer: LocalRenderer) -> None:
    """What is said there holds for whoever deploys the folder, and only one of them is meant."""
    there = b"helm:\n  valuesObject:\n    replicas: 2\n"
    result = edited(helm_renderer, more={".argocd-source.yaml": there})
    assert result.edits == {OWN: HEAD + ADDED}


def test_it_is_merged_over_an_object_of_values_of_the_application(helm_renderer: LocalRenderer) -> None:
    """Which says something else."""
    assert edited(helm_renderer, valuesObject={"image": {"pullPolicy": "Always"}}).edits == {
        OWN: HEAD + ADDED
    }


def test_a_value_file_of_a_tag_is_overruled(helm_renderer: LocalRenderer) -> None:
    """A tag cannot be pushed to."""
    other = {"repoURL": "https://git.example/values", "targetRevision": "refs/tags/v1", "ref": "values"}
    result = edited(helm_renderer, files=("$values/web.yaml",), others=(other,), pinned={"web.yaml": SAYS})
    assert result.edits == {OWN: HEAD + ADDED}


def test_a_value_file_behind_comes_first(helm_renderer: LocalRenderer) -> None:
    """One that can be written gets the key, as ever, but for one that others are deployed with, too."""
    behind = b"replicas: 1\n"
    added = behind + b"image:\n  repository: bak.example/m/library_nginx\n"
    more = {"prod.yaml": behind}
    result = edited(helm_renderer, more=more, files=(URL, "prod.yaml"))
    assert result.edits == {"app/prod.yaml": added}
    shared = frozenset({"app/prod.yaml"})
    assert edited(helm_renderer, more=more, files=(URL, "prod.yaml"), shared=shared).edits == {
        OWN: HEAD + ADDED
    }


def test_a_registry_of_its_own_is_added_beside(helm_renderer: LocalRenderer) -> None:
    """Where the value file says the registry, too, both are overruled."""
    template = 'image: "{{ .Values.image.registry }}/{{ .Values.image.repository }}:1.25"'
    says = b"image: {registry: docker.io, repository: library/nginx}\n"
    result = edited(helm_renderer, template=template, says=says)
    both = b"registry: bak.example\n      repository: m/library_nginx"
    added = ADDED.replace(b"repository: bak.example/m/library_nginx", both)
    assert result.edits == {OWN: HEAD + added}


@pytest.mark.parametrize(
    ("block", "field"),
    [
        (
            {"parameters": [{"name": "image.repository", "value": "nginx"}]},
            "spec.sources[0].helm.parameters[image.repository]",
        ),
        (
            {"valuesObject": {"image": {"repository": "nginx"}}},
            "spec.sources[0].helm.valuesObject.image.repository",
        ),
        ({"values": "image: {repository: nginx}"}, "spec.sources[0].helm.values.image.repository"),
    ],
)
def test_what_people_set_in_the_application_stays(
    helm_renderer: LocalRenderer, block: dict[str, Any], field: str
) -> None:
    """Though the file would overrule that, too: they would not see why theirs has no effect."""
    message = f"{field} of the live Application sets nginx"
    assert why(edited(helm_renderer, **block)) == (Reason.OVERRIDDEN, message)


def test_values_as_text_are_not_replaced(helm_renderer: LocalRenderer) -> None:
    """An object of values would take the place of all that the text says."""
    reason, message = why(edited(helm_renderer, values="replicas: 2"))
    assert reason == Reason.UNSUPPORTED_SOURCE
    assert message.endswith("or write its helm.values as helm.valuesObject, to which keys can be added")


@pytest.mark.parametrize("name", ["../../web", "we b", "w" * 240, "-", "WEB", "a\nb"])
def test_names_that_no_application_has_make_no_file(helm_renderer: LocalRenderer, name: str) -> None:
    """Manifests in a repository may say any."""
    reason, message = why(edited(helm_renderer, name=name, releaseName="web"))
    assert reason == Reason.UNSUPPORTED_SOURCE
    assert "name one of the repository behind it in helm.valueFiles of the Application" in message


def test_an_item_of_a_list_is_not_overruled(helm_renderer: LocalRenderer) -> None:
    """A list would be replaced as a whole."""
    template = 'image: "{{ (index .Values.images 0).name }}:1.25"'
    assert why(edited(helm_renderer, template=template, says=b"images: [{name: nginx}]\n"))[0] == (
        Reason.UNSUPPORTED_SOURCE
    )


def test_a_template_that_says_it_is_not_taken_for_the_value_file(helm_renderer: LocalRenderer) -> None:
    """Though the value file has a key of the image's name."""
    template = "image: nginx:{{ .Values.nginx.tag }}"
    reason, message = why(edited(helm_renderer, template=template, says=b"nginx: {tag: '1.25'}\n"))
    assert reason == Reason.UNSUPPORTED_SOURCE
    assert message == (
        "the chart in app puts nginx:1.25 together where neither a value nor a line of a template names it"
    )


def test_a_folder_in_its_place_is_in_the_way(helm_renderer: LocalRenderer) -> None:
    """Which Argo CD passes over."""
    more = {".argocd-source-web.yaml/notes": b"none"}
    assert why(edited(helm_renderer, more=more))[0] == Reason.UNSUPPORTED_SOURCE


def test_a_file_that_is_sealed_gets_nothing(helm_renderer: LocalRenderer) -> None:
    """SOPS vouches for all of it."""
    there = b"helm: {}\nsops: {mac: x}\n"
    reason, message = why(edited(helm_renderer, more={".argocd-source-web.yaml": there}))
    assert (reason, message) == (
        Reason.PROOF_FAILED,
        f"{OWN}, with image.repository added: SOPS vouches for what is in the file",
    )
