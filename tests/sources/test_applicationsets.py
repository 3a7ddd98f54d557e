"""What ApplicationSets generate. The golden folders expect what Argo CD 3.6.1's own code made of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.applicationsets.generators import Surroundings
from gitops_backup.sources.applicationsets.sets import evaluate, read_sets
from gitops_backup.sources.documents import InvalidManifest, Position
from gitops_backup.sources.makers.sets import SetMaker
from gitops_backup.sources.trees import Tree
from tests.sources.applicationsets import (
    GOLDEN,
    REPOSITORY,
    applications,
    clusters_in,
    evaluated,
    manifest,
)

_FILES = {"apps/a/config.json": b'{"image": "nginx"}', "apps/b/config.json": b"{}"}
_GIT = {"repoURL": REPOSITORY, "revision": "HEAD"}


def _element(**values: Any) -> dict[str, Any]:
    return {"list": {"elements": [values]}}


def _problem(made: bytes, renderer: LocalRenderer, **more: Any) -> str:
    evaluation = evaluated(made, _FILES, renderer=renderer, **more)
    assert evaluation.generated == ()
    (problem,) = evaluation.problems
    assert problem.startswith("the ApplicationSet argocd/shop: ")
    return problem.removeprefix("the ApplicationSet argocd/shop: ")


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in GOLDEN.glob("*/set.yaml")), ids=lambda path: path.name
)
def test_a_set_generates_what_argo_cd_makes_of_it(folder: Path, helm_renderer: LocalRenderer) -> None:
    """Each Application, field by field; and where Argo CD complains, there is a problem."""
    tree = folder / "tree"
    files = {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    evaluation = evaluated(
        (folder / "set.yaml").read_bytes(),
        files,
        renderer=helm_renderer,
        clusters=clusters_in(folder / "clusters.yaml"),
    )
    assert applications(evaluation) == list(yaml.safe_load_all((folder / "applications.yaml").read_bytes()))
    problems = folder / "problems.txt"
    assert "".join(f"{each}\n" for each in evaluation.problems) == (
        problems.read_text() if problems.exists() else ""
    )


def test_where_parameters_come_from_is_said() -> None:
    """Files, elements, folders and clusters; in a matrix all of them."""
    elements = {"list": {"elements": [{"name": "a"}, {"name": "b"}]}}
    files = {"git": {**_GIT, "files": [{"path": "apps/*/config.json"}]}}
    folders = {"git": {**_GIT, "directories": [{"path": "apps/a"}]}}
    clusters = {"clusters": {"selector": {"matchLabels": {"env": "dev"}}}}
    dev = Cluster("dev", "https://dev", "", {"env": "dev"}, {})

    def origins(generator: object, name: str) -> list[list[str]]:
        evaluation = evaluated(manifest(generator, name=name), _FILES, renderer=_NONE, clusters=[dev])
        return [[str(origin) for origin in each.origins] for each in evaluation.generated]

    assert origins(elements, "{{name}}") == [
        ["spec.generators[0].list.elements[0]"],
        ["spec.generators[0].list.elements[1]"],
    ]
    assert origins(folders, "{{path.basename}}") == [["the folder apps/a"]]
    assert origins({"matrix": {"generators": [files, clusters]}}, "{{path.basename}}") == [
        ["apps/a/config.json", "the cluster dev"],
        ["apps/b/config.json", "the cluster dev"],
    ]


def test_the_files_that_are_missing_are_named() -> None:
    """Those that are known cannot be read are not asked for again."""
    (found,) = read_sets(
        "set.yaml", manifest({"git": {**_GIT, "files": [{"path": "apps"}]}}), namespace="argocd"
    )
    tree = Tree(dict.fromkeys(_FILES, "100644"))

    def asked(**known: Any) -> Any:
        return evaluate(found, Surroundings(tree=tree, is_here=lambda *_: True, **known), renderer=_NONE)

    assert asked().unread == set(_FILES)
    one = {"apps/a/config.json": b"{}"}
    assert asked(contents=one).unread == {"apps/b/config.json"}
    refused = asked(contents=one, refused={"apps/b/config.json": "is too large"})
    assert (refused.unread, refused.problems) == (
        frozenset(),
        ("the ApplicationSet argocd/shop: apps/b/config.json is too large",),
    )


@pytest.mark.parametrize(
    ("generator", "problem"),
    [
        (
            {"scmProvider": {}},
            "spec.generators[0].scmProvider: what this generator makes is known to Argo CD",
        ),
        (
            {"pullRequest": {}},
            "spec.generators[0].pullRequest: what this generator makes is known to Argo CD",
        ),
        ({"plugin": {}}, "spec.generators[0].plugin: what this generator makes is known to Argo CD alone"),
        ({"clusterDecisionResource": {}}, "spec.generators[0].clusterDecisionResource: what this"),
        ({"oci": {}}, "spec.generators[0].oci: what this generator makes is known to Argo CD alone"),
        ({"unheard": {}}, "spec.generators[0] names no generator that is known"),
        ("list", "spec.generators[0] is no generator: expected a mapping"),
        ({"list": []}, "spec.generators[0].list is expected to be a mapping"),
        ({"list": {"elements": ["a"]}}, "spec.generators[0].list has parameters that are no mapping"),
        ({"list": {"elementsYaml": "a: b"}}, "spec.generators[0].list.elementsYaml is expected to be a list"),
        ({"list": {"elements": [{"values": "a"}]}}, "an element of a list has values that are no mapping"),
        ({"git": {**_GIT}}, "spec.generators[0].git has neither directories nor files"),
        (
            {"git": {"repoURL": "https://git.example/other", "revision": "v1", "files": [{"path": "x"}]}},
            "spec.generators[0].git reads https://git.example/other, v1, which is not at hand",
        ),
        ({"git": {**_GIT, "files": [{"path": "../x"}]}}, "spec.generators[0].git: the pattern ../x is not"),
        ({"git": {**_GIT, "files": [{"path": "[x"}]}}, "spec.generators[0].git: the pattern [x is none"),
        ({"git": {**_GIT, "files": [{"path": "link"}]}}, "link is a symbolic link, which is not followed"),
        (
            {**_element(name="a"), "selector": {"matchExpressions": [{"key": "a", "operator": "Gt"}]}},
            "spec.generators[0].list: {'key': 'a', 'operator': 'Gt'} is no expression of a selector",
        ),
        ({"merge": {"generators": [_element(), _element()]}}, "spec.generators[0].merge is expected to have"),
    ],
)
def test_what_cannot_be_told_is_said(generator: object, problem: str) -> None:
    """With the field, and nothing is made up."""
    assert _problem(manifest(generator), _NONE, links=["link"]).startswith(problem)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ slugify .name }}", "a template uses slugify, which is not understood here"),
        ('{{ include "x" . }}', "a template uses include, which is not understood here"),
        ('{{ tpl "x" . }}', "a template uses tpl, which is not understood here"),
        ("{{ now }}", "a template uses now, which is not understood here"),
        ('{{ define "x" }}{{ end }}', "a template uses define, which is not understood here"),
        ('{{ env "HOME" }}', "a template uses env, which is not understood here"),
        ("{{ .nope }}", "the parameters have no field nope"),
        ("{{ .deep.nope }}", "the parameters have no field nope"),
        ("{{ if .nope }}{{ end }}", "the parameters have no field nope"),
        ("{{ (index .list 0).x }}", "a template takes .x of an expression in parentheses, which is not"),
        ("{{ .a.b.c.d.e.f.g }}", "a template takes .a.b.c.d.e.f.g, which is too deep to be understood here"),
        ("{{ end }}", "a template cannot be evaluated: "),
        ("{{ if .name }}", "a template cannot be evaluated: "),
        ("{{ .name", "a template cannot be read: {{ .name"),
        ("{{ # }}", "a template cannot be read: {{ # }}"),
        ('{{ .name.inner }}{{ "', 'a template cannot be read: {{ .name.inner }}{{ "'),
        ("{{ .name.inner }}", "a template cannot be evaluated: "),
        ('{{ fail "secret" }}', "a template cannot be evaluated: "),
    ],
)
def test_go_templates_that_helm_would_take_otherwise_are_refused(
    helm_renderer: LocalRenderer, template: str, problem: str
) -> None:
    """And those that fail."""
    made = manifest(
        _element(name="a", deep={"x": "y"}, list=[{"x": "y"}]),
        go=True,
        goTemplateOptions=["missingkey=error"],
        made=template,
    )
    assert problem in _problem(made, helm_renderer)


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("{{ .deep.x }}", "y"),
        ("{{ $.deep.x }}", "y"),
        ("{{ range .list }}{{ .x }}{{ $.name }}{{ end }}", "ya"),
        ("{{ with .deep }}{{ .x }}{{ end }}", "y"),
        ("{{ $it := .deep }}{{ $it.x }}", "y"),
        ('{{ if hasKey . "nope" }}{{ .nope }}{{ else }}none{{ end }}', "none"),
        ('{{ .empty | default "x" }}', "x"),
        ("{{ .zero }}{{ .none }}", "0<no value>"),
        ("{{ .a1 }}-{{ ._b }}", "1-2"),
        ("no {{/* .nope */}}braces", "no braces"),
        ("{{`{{ .nope }}`}}", "{{ .nope }}"),
    ],
)
def test_fields_are_asked_for_as_argo_cd_asks(helm_renderer: LocalRenderer, template: str, made: str) -> None:
    """With `missingkey=error`, whatever the dot is."""
    element = _element(
        name="a", deep={"x": "y"}, list=[{"x": "y"}], empty="", zero=0, none=None, a1="1", _b="2"
    )
    whole = manifest(element, go=True, goTemplateOptions=["missingkey=error"], made=template)
    (found,) = evaluated(whole, {}, renderer=helm_renderer).generated
    assert found.application["metadata"]["annotations"]["made"] == made


@pytest.mark.parametrize("options", [["missingkey=wrong"], ["other"]])
def test_options_that_go_does_not_know_are_refused(options: list[str]) -> None:
    """Go's library would panic."""
    made = manifest(_element(name="a"), go=True, goTemplateOptions=options)
    assert _problem(made, _NONE).startswith("expected goTemplateOptions to be missingkey=..., not ")


def test_go_templates_take_helm() -> None:
    """Without it, that is the problem; texts without braces need none."""
    assert "a template cannot be evaluated: " in _problem(manifest(_element(name="a"), go=True), _NONE)
    fixed = manifest(_element(name="a"), go=True, name="fixed")
    assert len(evaluated(fixed, {}, renderer=_NONE).generated) == 1


def test_all_templates_of_a_set_are_rendered_at_once(helm_renderer: LocalRenderer) -> None:
    """However many elements there are."""
    counting = _Counting(helm_renderer)
    elements = {"list": {"elements": [{"name": f"n{number}"} for number in range(200)]}}
    made = manifest(elements, go=True, made="{{ .name }}-{{ .name | upper }}")
    assert len(evaluated(made, {}, renderer=counting).generated) == 200
    assert counting.count == 1


@pytest.mark.parametrize(
    ("patch", "problem"),
    [
        ("- a", "templatePatch is expected to be a mapping"),
        ("a: {", "templatePatch cannot be read: "),
        ("spec: {$patch: delete}", "templatePatch.spec.$patch is not understood here"),
        ("metadata: {finalizers: []}", "templatePatch.metadata.finalizers is not understood here"),
    ],
)
def test_patches_that_are_merged_otherwise_are_refused(patch: str, problem: str) -> None:
    """What strategic merging knows besides mappings."""
    assert _problem(manifest(_element(name="a"), templatePatch=patch), _NONE).startswith(problem)


def test_a_template_that_is_none_is_a_problem() -> None:
    """And so are names that are generated twice."""
    made = manifest(_element(name="a"), template={"metadata": {}})
    assert _problem(made, _NONE) == "spec.template is expected to be a mapping with metadata and spec"
    assert evaluated(manifest(_element(name="A {{x}}")), {}, renderer=_NONE).problems == (
        "the ApplicationSet argocd/shop generates an Application whose name, 'A {{x}}', is none",
    )
    unclosed = manifest(_element(name="a"), made="{{name}}{{")
    assert _problem(unclosed, _NONE) == "a template has {{ without }} behind it"
    twice = evaluated(manifest(_element(name="a"), _element(name="a")), {}, renderer=_NONE)
    assert twice.problems == ("the ApplicationSet argocd/shop generates several Applications of the name a",)


def test_sets_stand_alone_among_others_and_in_lists() -> None:
    """Each with the way to it."""
    one = manifest(_element(name="a"))
    text = b"kind: Service\n---\n" + one + b"\n---\nkind: List\nitems:\n- kind: Service\n- " + one + b"\n"
    found = read_sets("sets.yaml", text, namespace="argocd")
    assert [(each.path, each.position) for each in found] == [
        ("sets.yaml", Position(1, ())),
        ("sets.yaml", Position(2, (1, 1))),
    ]
    with pytest.raises(InvalidManifest, match=r"set\.yaml, line 1, column 1: a key is no text"):
        read_sets("set.yaml", b"{[a]: b}", namespace="argocd")


class _Counting:
    """A renderer that counts."""

    def __init__(self, renderer: LocalRenderer) -> None:
        self.count = 0
        self._renderer = renderer

    def kustomize(self, *asked: Any, **more: Any) -> bytes:
        """What kustomize makes."""
        self.count += 1
        return self._renderer.kustomize(*asked, **more)

    def helm(self, *asked: Any, **more: Any) -> bytes:
        """What Helm makes."""
        self.count += 1
        return self._renderer.helm(*asked, **more)

    def jsonnet(self, *asked: Any, **more: Any) -> bytes:
        """What jsonnet makes."""
        self.count += 1
        return self._renderer.jsonnet(*asked, **more)


_NONE = LocalRenderer(scratch=Path("/nonexistent"))


@pytest.mark.parametrize("clusters", [None, (), (Cluster("a", "https://a", "", {}, {}),)])
@pytest.mark.parametrize(
    ("pattern", "path", "taken"),
    [
        ("env/{{name}}/*.yaml", "env/b/web.yaml", True),
        ("env/{{name}}/*.yaml", "env/a/chart/.argocd-source-web.yaml", True),
        ("env/{{name}}/config.yaml", "env/b/web.yaml", False),
        ("env/{{name}}/*.yaml", "apps/b/web.yaml", False),
        ("env/*.yaml", "env/web.yaml", True),
        ("../{{name}}", "env/web.yaml", False),
        ("env/*.yaml", "env/known.yaml", False),
    ],
)
def test_a_new_file_may_be_one_of_another_cluster(
    clusters: Sequence[Cluster] | None, pattern: str, path: str, taken: bool
) -> None:
    """Whichever there are."""
    git = {"repoURL": REPOSITORY, "revision": "HEAD", "files": [{"path": pattern}]}
    content = manifest({"matrix": {"generators": [{"clusters": {}}, {"git": git}]}})
    (found,) = read_sets("set.yaml", content, namespace="argocd")
    tree = Tree({"env/known.yaml": "100644"})
    contents = {"env/known.yaml": b"{}"}
    around = Surroundings(tree=tree, is_here=lambda *_: True, contents=contents, clusters=clusters)
    maker = SetMaker.of(found, around, renderer=_NONE)
    assert maker.would_take({path}) == ({path} if taken else set())
