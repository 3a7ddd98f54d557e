"""Apps of apps that are rendered: what an Application sets is written where its parent renders it from."""

from collections.abc import Mapping
from typing import Any

import pytest

from gitops_backup.rendering.renderer import LocalRenderer
from tests.controller.memory import manifest
from tests.controller.test_declared import (
    APPS,
    CHARTS,
    COPY,
    SHOP,
    as_yaml,
    chart,
    child,
    diffs,
    foreseen,
    live,
    obstacles,
    root,
)

_CHART = b"apiVersion: v2\nname: apps\nversion: 1.0.0\n"
_WEB = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
  namespace: {{ .Release.Namespace }}
spec:
  source:
    repoURL: {{ .Values.spec.source.repoURL }}
    path: chart
    helm:
      HELM
  destination:
    server: {{ .Values.spec.destination.server }}
    namespace: shop
"""
_VALUES = """\
spec:
  destination: {server: "https://kubernetes.default.svc"}
  source: {repoURL: "https://git.example/apps"}
"""
_EACH = """\
{{- range .Values.applications }}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {{ .name }}
  namespace: argocd
spec:
  source:
    repoURL: {{ $.Values.spec.source.repoURL }}
    path: chart
    helm:
      valuesObject: {{- toYaml .values | nindent 8 }}
  destination:
    server: {{ $.Values.spec.destination.server }}
    namespace: shop
{{- end }}
"""


def _apps(template: str = "values: 'image: {{ .Values.image }}'", *, values: str = "") -> dict[str, bytes]:
    """A chart of one Application, laid out as Argo CD's own example, and the chart that this deploys."""
    return {
        "apps/Chart.yaml": _CHART,
        "apps/values.yaml": (_VALUES + values).encode(),
        "apps/templates/web.yaml": _WEB.replace("HELM", template).encode(),
        **chart(),
    }


def _with(block: Mapping[str, Any]) -> dict[str, Any]:
    said = child()
    said["spec"]["source"]["helm"] = dict(block)
    return said


@pytest.mark.parametrize(
    ("template", "block"),
    [
        ("values: |\n        # ours\n        image: nginx\n", {"values": "# ours\nimage: nginx\n"}),
        ("valuesObject:\n        image: nginx  # ours\n", {"valuesObject": {"image": "nginx"}}),
        (
            'parameters:\n      - name: image\n        value: "nginx"\n',
            {"parameters": [{"name": "image", "value": "nginx"}]},
        ),
    ],
    ids=["values", "valuesObject", "parameters"],
)
def test_a_literal_in_a_template_is_written_there(
    both_renderers: LocalRenderer, template: str, block: Mapping[str, Any]
) -> None:
    """It stands in a line without braces."""
    files = _apps(template)
    future = foreseen(both_renderers, [root(), live(_with(block))], {APPS: files})
    assert obstacles(future) == []
    ((path, (old, new)),) = diffs(future).items()
    assert path == f"{APPS} apps/templates/web.yaml"
    assert new[1:] == old[1:].replace("nginx", COPY)
    (place,) = future.places.values()
    assert files["apps/templates/web.yaml"].splitlines()[place.line - 1].decode() == old[1:]


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("values: 'image: {{ .Values.image }}'", "image: nginx  # ours\n"),
        ("values: |\n        image: {{ .Values.web.image }}\n", 'web: {image: "nginx"}\n'),
        ("values: {{ toYaml .Values.web | quote }}", "web:\r\n  image: nginx\r\n"),
    ],
    ids=["in quotes", "in a block", "as a whole"],
)
def test_a_value_of_the_parent_is_written_among_its_values(
    both_renderers: LocalRenderer, template: str, values: str
) -> None:
    """Whatever the template makes of it."""
    future = foreseen(
        both_renderers,
        [root(), live(_with({"values": "image: nginx"}))],
        {APPS: _apps(template, values=values)},
    )
    assert obstacles(future) == []
    ((path, (old, new)),) = diffs(future).items()
    assert path == f"{APPS} apps/values.yaml"
    assert new[1:] == old[1:].replace("nginx", COPY)


def test_one_of_a_list_of_applications_is_written_where_it_is_listed(both_renderers: LocalRenderer) -> None:
    """The others are left as they are, and so is what only looks like the image."""
    values = """\
applications:
- name: nginx
  values: {image: other}
- name: web
  values: {image: nginx}
"""
    files = {**_apps(values=values), "apps/templates/web.yaml": _EACH.encode()}
    future = foreseen(
        both_renderers, [root(), live(_with({"valuesObject": {"image": "nginx"}}))], {APPS: files}
    )
    assert obstacles(future) == []
    assert diffs(future) == {
        f"{APPS} apps/values.yaml": ["-  values: {image: nginx}", f"+  values: {{image: {COPY}}}"]
    }


def test_the_value_file_that_counts_is_written(both_renderers: LocalRenderer) -> None:
    """The parent's last one overrides its chart's defaults."""
    files = _apps(values="image: other\n")
    files["apps/values-dev.yaml"] = b"image: nginx\n"
    future = foreseen(
        both_renderers,
        [root(helm={"valueFiles": ["values-dev.yaml"]}), live(_with({"values": "image: nginx"}))],
        {APPS: files},
    )
    assert obstacles(future) == []
    assert diffs(future) == {f"{APPS} apps/values-dev.yaml": ["-image: nginx", f"+image: {COPY}"]}


def test_what_a_chart_from_elsewhere_gets_is_written_in_its_parents_repository(
    both_renderers: LocalRenderer,
) -> None:
    """The child deploys a chart of a chart repository, and the parent's chart has its values."""
    said = _with({"values": "image: nginx"})
    said["spec"]["source"] |= {"repoURL": CHARTS, "chart": "web", "targetRevision": "1.0.0"}
    del said["spec"]["source"]["path"]
    files = _apps(values="image: nginx\n")
    template = files["apps/templates/web.yaml"].replace(
        b"path: chart", b"chart: web\n    targetRevision: 1.0.0"
    )
    files["apps/templates/web.yaml"] = template.replace(b"{{ .Values.spec.source.repoURL }}", CHARTS.encode())
    files_of_chart = {path.removeprefix("chart/"): content for path, content in chart().items()}
    future = foreseen(both_renderers, [root(), live(said)], {APPS: files}, elsewhere={CHARTS: files_of_chart})
    assert obstacles(future) == []
    assert diffs(future) == {f"{APPS} apps/values.yaml": ["-image: nginx", f"+image: {COPY}"]}


def test_a_child_that_deploys_from_another_repository(both_renderers: LocalRenderer) -> None:
    """It is read there, and written where its parent is."""
    files = _apps(values="image: nginx\n")
    files["apps/values.yaml"] = files["apps/values.yaml"].replace(APPS.encode(), SHOP.encode())
    said = _with({"values": "image: nginx"})
    said["spec"]["source"]["repoURL"] = SHOP
    future = foreseen(
        both_renderers,
        [root(), live(said)],
        {APPS: files, SHOP: chart()},
        elsewhere={SHOP: chart(), APPS: {}},
    )
    assert obstacles(future) == []
    assert diffs(future) == {f"{APPS} apps/values.yaml": ["-image: nginx", f"+image: {COPY}"]}


_PATCH = """\
- op: replace
  path: /spec/source/helm/values
  value: "image: %s"
"""


def _overlay(patch: str = "nginx", base: str = "other", more: str = "") -> dict[str, bytes]:
    """A kustomization that patches its Application."""
    patches = "patches:\n- path: patch.yaml\n  target: {kind: Application, name: web}\n"
    return {
        "base/kustomization.yaml": b"resources: [web.yaml]\n",
        "base/web.yaml": as_yaml(child(values=f"image: {base}\n")),
        "apps/kustomization.yaml": f"resources: [../base]\n{patches}{more}".encode(),
        "apps/patch.yaml": (_PATCH % patch).encode(),
        **chart(),
    }


def test_what_a_patch_says_is_written_there(both_renderers: LocalRenderer) -> None:
    """The base has something else, which stays."""
    said = child(values="image: nginx")
    future = foreseen(both_renderers, [root(), live(said)], {APPS: _overlay()})
    assert obstacles(future) == []
    assert diffs(future) == {
        f"{APPS} apps/patch.yaml": ['-  value: "image: nginx"', f'+  value: "image: {COPY}"']
    }


def test_a_manifest_that_gets_another_name_is_written(both_renderers: LocalRenderer) -> None:
    """The Application in the cluster has a prefix that no file of it has."""
    said = child()
    said["metadata"]["name"] = "dev-web"
    files = {
        "apps/kustomization.yaml": b"resources: [web.yaml]\nnamePrefix: dev-\n",
        "apps/web.yaml": as_yaml(child()),
        **chart(),
    }
    future = foreseen(both_renderers, [root(listed=["dev-web"]), live(said)], {APPS: files})
    assert obstacles(future) == []
    assert list(diffs(future)) == [f"{APPS} apps/web.yaml"]


def test_several_overlays_of_one_manifest_change_together(both_renderers: LocalRenderer) -> None:
    """Each makes an Application of its own of it, which is shown to change in copies alone."""
    files = {
        "base/kustomization.yaml": b"resources: [web.yaml]\n",
        "base/web.yaml": as_yaml(child()),
        "apps/kustomization.yaml": b"resources: [../base]\n",
        "dev/kustomization.yaml": b"resources: [../base]\nnamePrefix: dev-\n",
        **chart(),
    }
    said = child()
    said["metadata"]["name"] = "dev-web"
    applications = [root(), root(path="dev", name="dev", listed=["dev-web"]), live(child()), live(said)]
    future = foreseen(both_renderers, applications, {APPS: files})
    assert obstacles(future) == []
    assert list(diffs(future)) == [f"{APPS} base/web.yaml"]


def test_another_object_of_the_parent_that_would_change_speaks_against_it(
    both_renderers: LocalRenderer,
) -> None:
    """A value that also stands elsewhere is not changed for the Application alone."""
    files = _apps(values="image: nginx\n")
    files["apps/templates/config.yaml"] = (
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {a: '{{ .Values.image }} it is'}\n"
    )
    future = foreseen(both_renderers, [root(), live(_with({"values": "image: nginx"}))], {APPS: files})
    assert diffs(future) == {}
    (why,) = obstacles(future)
    assert why.startswith(
        "ProofFailed: apps/values.yaml, line 4, is read for the Application argocd/root, too:"
        " more than images would change: ConfigMap argocd/note, data.a:"
    )


def test_a_value_that_is_also_the_applications_name_is_left_alone(both_renderers: LocalRenderer) -> None:
    """It cannot be changed without that."""
    said = _with({"values": "image: nginx"})
    said["metadata"]["name"] = "nginx"
    files = _apps(values="image: nginx\n")
    template = files["apps/templates/web.yaml"].replace(b"name: web", b"name: {{ .Values.image }}")
    files["apps/templates/web.yaml"] = template
    future = foreseen(both_renderers, [root(listed=["nginx"]), live(said)], {APPS: files})
    assert diffs(future) == {}
    (why,) = obstacles(future)
    assert why == (
        "Overridden: spec.source.helm.values.image of the live Application sets nginx;"
        " the Application argocd/root makes it from the chart in apps: the Application argocd/root makes"
        " nginx:1.25, which the Application nginx deploys, of no text that can be written"
    )


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (
            {"apps/templates/web.yaml": b'{{ fail "no" }}'},
            "what the Application argocd/root generates cannot be shown to change in images alone: helm",
        ),
        ({"apps/templates/web.yaml": b""}, "the Application argocd/root generates no Application web"),
        (
            {"apps/values.yaml": (_VALUES + "image: other\n").encode()},
            "helm.values of the live Application is not what the Application argocd/root makes it",
        ),
        (
            {"apps/values.yaml": (_VALUES + "image: {{ nginx\n").encode()},
            "what the Application argocd/root generates cannot be shown to change in images alone: helm",
        ),
    ],
    ids=["fails", "makes none", "another in the cluster", "values that are no YAML"],
)
def test_what_cannot_be_told_of_a_parent_is_a_reason(
    both_renderers: LocalRenderer, files: dict[str, bytes], why: str
) -> None:
    """And nothing is written."""
    said = live(_with({"values": "image: nginx"}))
    future = foreseen(both_renderers, [root(), said], {APPS: {**_apps(values="image: nginx\n"), **files}})
    assert diffs(future) == {}
    (told,) = obstacles(future)
    assert told.startswith(("Overridden: ", "UnsupportedSource: ", "NotFoundInSource: "))
    assert why in told


@pytest.mark.parametrize("files", [_apps(values=f"image: {COPY}\n"), _overlay(COPY)], ids=["chart", "patch"])
def test_what_git_says_already_waits_for_the_parent(
    both_renderers: LocalRenderer, files: dict[str, bytes]
) -> None:
    """The live Application is behind."""
    future = foreseen(both_renderers, [root(), live(child(values="image: nginx"))], {APPS: files})
    assert diffs(future) == {}
    (why,) = obstacles(future)
    assert why.startswith("AwaitingSync: main names the backup already")


@pytest.mark.parametrize(
    "odd",
    [
        "metadata: {name: odd}\nspec: {source: {helm: {parameters: 5}, kustomize: {images: 7}}}",
        "metadata: {name: odd}\nspec: {sources: {a: 1}, sourceHydrator: [1], source: {helm: {values: 7}}}",
        "metadata: {name: 5}\nspec: []",
    ],
)
def test_others_that_are_no_proper_applications_do_not_matter(
    both_renderers: LocalRenderer, odd: str
) -> None:
    """What is none stays as it is."""
    files = _apps(values="image: nginx\n")
    files["apps/templates/odd.yaml"] = (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\n{odd}\n".encode()
    )
    future = foreseen(both_renderers, [root(), live(_with({"values": "image: nginx"}))], {APPS: files})
    assert obstacles(future) == []
    assert list(diffs(future)) == [f"{APPS} apps/values.yaml"]


def test_a_parents_own_workload_may_have_the_same_image(both_renderers: LocalRenderer) -> None:
    """It becomes the same copy, and the report says so."""
    files = _apps(values="image: nginx\n")
    files["apps/templates/own.yaml"] = manifest("own", "{{ .Values.image }}:1.25")
    future = foreseen(both_renderers, [root(), live(_with({"values": "image: nginx"}))], {APPS: files})
    assert obstacles(future) == []
    assert list(diffs(future)) == [f"{APPS} apps/values.yaml"]
    assert [str(each.now) for each in future.along] == [f"{COPY}:1.25"]
