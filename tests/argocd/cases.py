"""Sources whose rendering rests on a rule of Argo CD's: a folder each, and what an Application says of it.

What a rule decides shows in the names of the objects, or in their images.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from gitops_backup.sandbox.api import Json


@dataclass(frozen=True, slots=True)
class Case:
    """Files, by their path in the case's folder, and the source beside its repository and path.

    `others` are further sources, beside the repository of theirs.
    `names` are those of the objects that Argo CD makes of it; none where it cannot. `refused` says that this
    program knows that it does not know.
    """

    files: Mapping[str, str]
    source: Json = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    kind: str = ""
    refused: bool = False
    others: tuple[Json, ...] = ()


def workload(name: str, image: str = "app:1") -> str:
    """A workload without pods, with this image."""
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 0\n"
        f"  selector: {{matchLabels: {{app: {name}}}}}\n"
        f"  template:\n    metadata: {{labels: {{app: {name}}}}}\n"
        f"    spec: {{containers: [{{name: main, image: '{image}'}}]}}\n"
    )


def chart(template: str, values: str = "", **more: str) -> dict[str, str]:
    """A chart with one template."""
    return {
        "Chart.yaml": "apiVersion: v2\nname: chart\nversion: 0.1.0\n",
        "values.yaml": values,
        "templates/one.yaml": template,
        **{name.replace("__", "/").replace("_yaml", ".yaml"): text for name, text in more.items()},
    }


def _listing(**directory: object) -> Json:
    return {"directory": directory}


_FILES = {
    path: workload(path.replace("/", "-").replace(".", "-").lower())
    for path in ("a.yaml", "b.yml", "ab.yaml", "sub/c.yaml", "sub/d.yml", "sub/deep/e.yaml", "test.yaml")
} | {"f.json": json.dumps(yaml.safe_load(workload("f-json"))), "notes.txt": "no"}
_TOP = frozenset({"a-yaml", "b-yml", "ab-yaml", "test-yaml", "f-json"})
_ALL = _TOP | {"sub-c-yaml", "sub-d-yml", "sub-deep-e-yaml"}
_KUSTOMIZED = {
    "kustomization.yaml": "resources: [one.yaml]\nnamePrefix: kustomized-\n",
    "one.yaml": workload("one"),
}
_GLOBS: dict[str, tuple[Json, set[str]]] = {
    "flat": ({}, set(_TOP)),
    "recurse": ({"recurse": True}, set(_ALL)),
    "star": ({"recurse": True, "include": "*.yaml"}, {n for n in _ALL if n.endswith("-yaml")}),
    "two-stars": ({"recurse": True, "include": "**/*.yaml"}, {"sub-c-yaml", "sub-deep-e-yaml"}),
    "folder": ({"recurse": True, "include": "sub/*"}, {"sub-c-yaml", "sub-d-yml", "sub-deep-e-yaml"}),
    "not-recursive": ({"include": "sub/*"}, set()),
    "choice": ({"recurse": True, "include": "{a,b}.y*ml"}, {"a-yaml", "b-yml"}),
    "choice-of-patterns": ({"recurse": True, "include": "{sub/*.yml,f.json}"}, {"sub-d-yml", "f-json"}),
    "list": ({"include": "[ab].*"}, {"a-yaml", "b-yml"}),
    "range": ({"include": "[a-b].*"}, {"a-yaml", "b-yml"}),
    "not-in-list": ({"include": "[!a]*"}, {"b-yml", "test-yaml", "f-json"}),
    "one-character": ({"include": "?.yaml"}, {"a-yaml"}),
    "exclude": ({"recurse": True, "exclude": "sub/*"}, set(_TOP)),
    "exclude-wins": ({"include": "a*", "exclude": "ab*"}, {"a-yaml"}),
    "overlap": ({"include": "test*test.yaml"}, set()),
    "brace-open": ({"include": "{a.yaml"}, set()),
    "list-open": ({"include": "[a.yaml"}, set()),
    "escaped": ({"include": "\\a.yaml"}, {"a-yaml"}),
    "dot-slash": ({"include": "./a.yaml"}, set()),
    "comma": ({"include": "a.yaml,b.yml"}, set()),
}
_LAYERED = workload("layered-{{ .Values.a }}{{ .Values.b }}{{ .Values.c }}{{ .Values.d }}{{ .Values.e }}")
_VALUE = workload("value-{{ .Values.x }}")
_IMAGED = {
    "kustomization.yaml": "resources: [one.yaml]\nimages:\n- {name: app, newName: own, newTag: '2'}\n",
    "one.yaml": workload("imaged", "app:1"),
}


def _names(*names: str) -> frozenset[str]:
    return frozenset(names)


def _values(name: str, helm: Json, *, files: Mapping[str, str] | None = None, refused: bool = False) -> Case:
    return Case(
        {**chart(_VALUE, "x: default\n"), **(files or {})},
        {"helm": helm},
        _names(*([f"value-{name}"] if name else [])),
        refused=refused,
    )


def _kustomized(images: list[str]) -> Case:
    return Case(_IMAGED, {"kustomize": {"images": images}}, _names("imaged"), "Kustomize")


_TWO = {"one.yaml": "x: one\n", "two.yaml": "x: two\n"}
_FOLDER = {"v/a.yaml": "x: a\n", "v/b.yaml": "x: b\n", "v/deep/c.yaml": "x: c\n"}

_SET = {"parameters": [{"name": "x", "value": "set"}]}
_KIND = workload("value-{{ .Values.x }}-{{ kindOf .Values.x }}")


def _filed(name: str, text: str, helm: Json | None = None, *, own: str = "") -> Case:
    """A chart with a file of parameters beside it, which may be an Application's own."""
    file = f".argocd-source-{own}.yaml" if own else ".argocd-source.yaml"
    files = {**chart(_KIND, "x: default\n"), file: text}
    return Case(files, {"helm": helm} if helm is not None else {}, _names(f"value-{name}"), "Helm")


def _programmed(name: str, program: str, *, more: Mapping[str, str] | None = None, **block: object) -> Case:
    """A program that makes a workload of this name, or what cannot be evaluated."""
    made = json.dumps(yaml.safe_load(workload("NAME"))).replace('"NAME"', "name")
    files = {"main.jsonnet": f"local made(name) = {made};\n{program}\n", **(more or {})}
    source = _listing(jsonnet=block) if block else {}
    return Case(files, source, _names(*name.split()), "Directory" if name else "", refused=not name)


_VARIABLE = {"name": "x", "value": "$ARGOCD_APP_NAME-${ARGOCD_APP_PROJECT_NAME}"}
_PROGRAMS = {
    "one": _programmed("one", "made('one')"),
    "several": _programmed("one two", "[made('one'), null, made('two')]"),
    "list": _programmed("one two", "{ apiVersion: 'v1', kind: 'List', items: [made('one'), made('two')] }"),
    "map": _programmed("", "{ one: made('one') }"),
    "null": _programmed("", "null + error 'no'"),
    "beside": _programmed("one two", "made('one')", more={"two.yaml": workload("two")}),
    "last": _programmed(
        "one", "made('one')", more={"z.yaml": workload("one", "app:2"), "a.yaml": workload("one", "app:0")}
    ),
    "import": _programmed("lib", "made(import 'lib/name.libsonnet')", more={"lib/name.libsonnet": "'lib'"}),
    "libraries": _programmed(
        "two-own-one-app",
        "made(std.join('-', [import 'a', import 'own', import 'b', import 'lib/c']))",
        more={
            "one/a": "'one'",
            "one/own": "'no'",
            "one/b": "'one'",
            "two/a": "import 'd'",
            "two/d": "'two'",
            "own": "'own'",
            "lib/c": "import 'e'",
            "e": "'app'",
        },
        libs=["jsonnet-libraries/one", "/jsonnet-libraries/two"],
    ),
    "variable": _programmed("jsonnet-variable-default", "made(std.extVar('x'))", extVars=[_VARIABLE]),
    "arguments": _programmed(
        "a-2",
        "function(a, b='no') made(a + '-' + b)",
        tlas=[{"name": "a", "value": "a"}, {"name": "b", "value": "1 + 1", "code": True}],
    ),
    "code": _programmed(
        "lib",
        "made(std.extVar('x'))",
        more={"lib/name": "'lib'"},
        libs=["jsonnet-code/lib"],
        extVars=[{"name": "x", "value": "import 'name'", "code": True}],
    ),
    "above": _programmed("", "made(importstr '../../../../../../../../../etc/hostname')"),
    "absolute": _programmed("", "made(importstr '/etc/hostname')"),
    "gone": _programmed("", "made(import 'gone')"),
    "unused": _programmed("one", "if false then import 'gone' else made('one')"),
    "folder": _programmed("", "made(import 'lib')", more={"lib/x": "1"}),
    "loop": _programmed("", "import 'main.jsonnet'"),
}

CASES: dict[str, Case] = {
    **{f"jsonnet-{name}": case for name, case in _PROGRAMS.items()},
    **{
        f"glob-{name}": Case(_FILES, _listing(**options) if options else {}, frozenset(names), "Directory")
        for name, (options, names) in _GLOBS.items()
    },
    # which kind of source it is
    "both": Case({**_KUSTOMIZED, **chart(workload("charted"))}, {}, _names("kustomized-one"), "Kustomize"),
    "kustomization-yml": Case(
        {"kustomization.yml": "resources: [one.yaml]\nnamePrefix: yml-\n", "one.yaml": workload("one")},
        {},
        _names("yml-one"),
        "Kustomize",
    ),
    "kustomization-bare": Case(
        {"Kustomization": "resources: [one.yaml]\nnamePrefix: bare-\n", "one.yaml": workload("one")},
        {},
        _names("bare-one"),
        "Kustomize",
    ),
    "chart-suffix": Case(
        {"MyChart.yaml": workload("my-chart"), "one.yaml": workload("one")}, {}, refused=True
    ),
    "chart-lower": Case({"chart.yaml": workload("lower")}, {}, _names("lower"), "Directory"),
    "block-directory": Case(
        {"MyChart.yaml": workload("my-chart")}, _listing(recurse=True), _names("my-chart"), "Directory"
    ),
    "block-empty-directory": Case({**_KUSTOMIZED}, _listing(), _names("kustomized-one"), "Kustomize"),
    "block-kustomize": Case(
        {**_KUSTOMIZED, **chart(workload("charted"))},
        {"kustomize": {"nameSuffix": "-x"}},
        _names("kustomized-one-x"),
        "Kustomize",
    ),
    "block-helm": Case(
        {**_KUSTOMIZED, **chart(workload("charted"))},
        {"helm": {"releaseName": "r"}},
        _names("charted"),
        "Helm",
    ),
    "two-blocks": Case(
        {**_KUSTOMIZED, **chart(workload("charted"))},
        {"helm": {"releaseName": "r"}, "kustomize": {"nameSuffix": "-x"}},
        refused=True,
    ),
    # what a directory holds
    "skipped": Case(
        {"one.yaml": workload("kept"), "two.yaml": "# +argocd:skip-file-rendering\n" + workload("skipped")},
        {},
        _names("kept"),
    ),
    "filed-below": Case(
        {"one.yaml": workload("one"), "app/.argocd-source-web.yaml": "helm: {valuesObject: {x: y}}\n"},
        _listing(recurse=True),
        _names("one"),
        "Directory",
    ),
    "list": Case(
        {
            "one.yaml": json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "List",
                    "items": [yaml.safe_load(workload(name)) for name in ("listed-1", "listed-2")],
                }
            )
        },
        {},
        _names("listed-1", "listed-2"),
    ),
    "documents": Case(
        {"one.yaml": "---\n# nothing\n---\n" + workload("document-1") + "---\n" + workload("document-2")},
        {},
        _names("document-1", "document-2"),
    ),
    "twice": Case(
        {"a.yaml": workload("twice", "app:1"), "b.yaml": workload("twice", "app:2")}, {}, _names("twice")
    ),
    "twice-in-folders": Case(
        {"a/x.yaml": workload("twice-x", "app:1"), "a-b.yaml": workload("twice-x", "app:2")},
        _listing(recurse=True),
        _names("twice-x"),
    ),
    # which value counts
    "layers": Case(
        {
            **chart(_LAYERED, "{a: 1, b: 1, c: 1, d: 1, e: 1}\n"),
            "one.yaml": "{b: 2, c: 2, d: 2, e: 2}\n",
            "two.yaml": "{c: 3, d: 3, e: 3}\n",
        },
        {
            "helm": {
                "valueFiles": ["one.yaml", "two.yaml"],
                "values": "{d: 4, e: 4}",
                "parameters": [{"name": "e", "value": "5"}],
            }
        },
        _names("layered-12345"),
    ),
    "values-object": _values("object", {"values": "x: text", "valuesObject": {"x": "object"}}),
    "values-empty-object": _values("default", {"values": "x: text", "valuesObject": {}}),
    "last-file": _values("two", {"valueFiles": ["one.yaml", "two.yaml"]}, files=_TWO),
    "file-twice": _values("two", {"valueFiles": ["one.yaml", "two.yaml", "one.yaml"]}, files=_TWO),
    "file-twice-otherwise": _values(
        "two", {"valueFiles": ["one.yaml", "two.yaml", "./one.yaml"]}, files=_TWO
    ),
    "file-missing": _values("", {"valueFiles": ["one.yaml", "three.yaml"]}, files=_TWO, refused=True),
    "file-missing-ignored": _values(
        "one", {"valueFiles": ["one.yaml", "three.yaml"], "ignoreMissingValueFiles": True}, files=_TWO
    ),
    "file-glob": _values("b", {"valueFiles": ["v/*.yaml"]}, files=_FOLDER),
    "file-deep-glob": _values("c", {"valueFiles": ["v/**/*.yaml"]}, files=_FOLDER),
    "file-glob-and-name": _values("a", {"valueFiles": ["v/*.yaml", "v/a.yaml"]}, files=_FOLDER),
    "file-name-and-glob": _values("b", {"valueFiles": ["v/a.yaml", "v/*.yaml"]}, files=_FOLDER),
    "file-glob-without-match": _values("", {"valueFiles": ["w/*.yaml"]}, refused=True),
    "file-glob-without-match-ignored": _values(
        "default", {"valueFiles": ["w/*.yaml"], "ignoreMissingValueFiles": True}
    ),
    "file-absolute": _values("one", {"valueFiles": ["/file-absolute/one.yaml"]}, files=_TWO),
    "file-upwards": _values("two", {"valueFiles": ["../file-absolute/two.yaml"]}),
    "file-outside": _values("", {"valueFiles": ["../../outside.yaml"]}, refused=True),
    "own-values-named": _values("default", {"valueFiles": ["one.yaml", "values.yaml"]}, files=_TWO),
    "parameter-dots": Case(
        chart(workload("value-{{ .Values.x.y }}"), "x: {y: default}\n"),
        {"helm": {"parameters": [{"name": "x.y", "value": "set"}]}},
        _names("value-set"),
    ),
    "parameter-comma": _values("a-b", {"parameters": [{"name": "x", "value": "a-b,y=c"}]}),
    "parameter-number": Case(
        chart(workload("value-{{ kindOf .Values.x }}"), "x: default\n"),
        {"helm": {"parameters": [{"name": "x", "value": "1"}]}},
        _names("value-int64"),
    ),
    "parameter-text": Case(
        chart(workload("text-{{ kindOf .Values.x }}"), "x: default\n"),
        {"helm": {"parameters": [{"name": "x", "value": "1", "forceString": True}]}},
        _names("text-string"),
    ),
    "parameter-twice": _values(
        "second", {"parameters": [{"name": "x", "value": "first"}, {"name": "x", "value": "second"}]}
    ),
    "release": Case(
        chart(workload("{{ .Release.Name }}-{{ .Release.Namespace }}")), {}, _names("release-facts-release")
    ),
    "release-name": Case(
        chart(workload("{{ .Release.Name }}-named")),
        {"helm": {"releaseName": "other"}},
        _names("other-named"),
    ),
    "kube-version": Case(
        chart(workload("kube-{{ .Capabilities.KubeVersion.Minor }}")),
        {"helm": {"kubeVersion": "1.30.1"}},
        _names("kube-30"),
    ),
    # files of parameters
    "filed": _filed("filed-string", "helm: {parameters: [{name: x, value: filed}]}", _SET),
    "filed-alone": _filed("filed-string", "helm: {parameters: [{name: x, value: filed}]}"),
    "filed-own": _filed("own-string", "helm: {parameters: [{name: x, value: own}]}", _SET, own="filed-own"),
    "filed-others": _filed("set-string", "helm: {parameters: [{name: x, value: no}]}", _SET, own="filed"),
    "filed-object": _filed(
        "filed-string", "helm: {valuesObject: {x: filed}}", {"valuesObject": {"x": "set", "y": "z"}}
    ),
    "filed-text": _filed("filed-string", "helm: {values: 'x: filed'}", {"values": "x: set"}),
    "filed-null": _filed("set-string", "helm: null", _SET),
    "filed-null-inside": _filed(
        "default-string", "helm: {valuesObject: {x: null}}", {"valuesObject": {"x": "set"}}
    ),
    "filed-letter-case": _filed("filed-string", "Helm: {Parameters: [{Name: x, Value: filed}]}"),
    "filed-something-else": _filed("set-string", "owner: me\nnotes: [1]\n", _SET),
    "filed-empty": Case({**chart(_KIND), ".argocd-source.yaml": "# nothing\n"}, refused=True),
    "filed-items-keep": _filed(
        "2-string",
        "helm: {parameters: [{name: x, value: '2'}]}",
        {"parameters": [{"name": "x", "value": "1", "forceString": True}]},
    ),
    "filed-images": Case(
        {**_IMAGED, ".argocd-source.yaml": "kustomize: {images: ['app=filed:4']}"},
        {"kustomize": {"images": ["app=other:3"]}},
        _names("imaged"),
        "Kustomize",
    ),
    "filed-value-files": Case(
        {**chart(_VALUE), **_TWO, ".argocd-source.yaml": "helm: {valueFiles: [two.yaml]}"},
        {"helm": {"valueFiles": ["one.yaml"]}},
        _names("value-two"),
    ),
    "filed-kind": Case(
        {**_KUSTOMIZED, ".argocd-source.yaml": "directory: {include: one.yaml}\n"}, {}, _names("one")
    ),
    # several sources
    "ref": Case(
        {**chart(_VALUE, "x: default\n"), "elsewhere/x.yaml": "x: referred\n"},
        {"helm": {"valueFiles": ["$other/ref/elsewhere/x.yaml"]}},
        _names("value-referred"),
        others=({"ref": "other"},),
    ),
    "ref-last-wins": Case(
        {**chart(_VALUE, "x: default\n"), **_TWO},
        {"helm": {"valueFiles": ["$other/ref-last-wins/one.yaml", "two.yaml"]}},
        _names("value-two"),
        others=({"ref": "other"},),
    ),
    "ref-glob": Case(
        {**chart(_VALUE, "x: default\n"), **_FOLDER},
        {"helm": {"valueFiles": ["$other/ref-glob/v/*.yaml"]}},
        _names("value-b"),
        others=({"ref": "other"},),
    ),
    "ref-unknown": Case(
        chart(_VALUE), {"helm": {"valueFiles": ["$nobody/x.yaml"]}}, refused=True, others=({"ref": "other"},)
    ),
    "sources": Case(
        {"one.yaml": workload("several-one"), "more/two.yaml": workload("several-two")},
        {},
        _names("several-one", "several-two"),
        others=({"path": "sources/more"},),
    ),
    "sources-twice": Case(
        {"one.yaml": workload("twice-one", "app:1"), "more/two.yaml": workload("twice-one", "app:2")},
        {},
        _names("twice-one"),
        others=({"path": "sources-twice/more"},),
    ),
    # images that the Application itself sets
    "images-none": Case(_IMAGED, {}, _names("imaged"), "Kustomize"),
    "images-tag": _kustomized(["app:3"]),
    "images-name": _kustomized(["app=other:3"]),
    "images-name-alone": _kustomized(["app=other"]),
    "images-digest": _kustomized([f"app=other@sha256:{'0' * 64}"]),
    "images-kept-tag": _kustomized(["app=other:*"]),
    "images-unrelated": _kustomized(["zebra=other:3"]),
    "images-of-new-name": _kustomized(["own=other:3"]),
}
