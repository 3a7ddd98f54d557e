"""Finding Applications in files."""

import json
from typing import Any

import pytest

from gitops_backup.sources.discovery import Discovery, discover, may_describe

_ARGOCD = frozenset({"argocd"})


def _manifest(name: object = "shop", *, kind: str = "Application", **spec: Any) -> str:
    return json.dumps(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": {"source": {"repoURL": "https://git.example/shop", "path": "app", **spec}},
        }
    )


def _found(*texts: str, namespaces: frozenset[str] = _ARGOCD) -> Discovery:
    return discover(
        {f"{number}.yaml": text.encode() for number, text in enumerate(texts)}, namespaces=namespaces
    )


@pytest.mark.parametrize(
    ("content", "may"),
    [
        (b"apiVersion: argoproj.io/v1alpha1\nkind: Application\n", True),
        (b'{"apiVersion":"argoproj.io/v1alpha1","kind":"ApplicationSet"}', True),
        (b"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\n", False),
        (b"apiVersion: app.k8s.io/v1beta1\nkind: Application\n", False),
        (b"argoproj.io is for MyApplication\n", False),
    ],
)
def test_most_files_are_not_parsed(content: bytes, may: bool) -> None:
    """Those that do not name the group and the kind."""
    assert may_describe(content) == may


def test_applications_stand_alone_among_others_and_in_lists() -> None:
    """In the order of their files."""
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": [json.loads(_manifest("c"))]})
    found = _found(f"kind: Service\n---\n{_manifest('a')}\n---\n# none\n---\n{_manifest('b')}\n", listed)
    assert [each.name for each in found.applications] == ["a", "b", "c"]
    assert {each.namespace for each in found.applications} == {"argocd"}


def test_values_are_read_as_argo_cd_reads_them() -> None:
    """Truth values and numbers are none of text, as they decide how a chart is rendered."""
    text = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  source:
    repoURL: https://git.example/shop
    directory: {recurse: false}
    helm:
      skipSchemaValidation: true
      valuesObject: {replicas: 2, ratio: 0.5, on: yes, text: "2", none: ~, day: 2026-01-02}
"""
    (source,) = _found(text).applications[0].sources
    assert (source.directory.recurse, source.helm.skip_schema_validation) == (False, True)
    assert json.loads(source.helm.values) == {
        "replicas": 2,
        "ratio": 0.5,
        "on": True,
        "text": "2",
        "none": None,
        "day": "2026-01-02",
    }


@pytest.mark.parametrize("name", ["", "-x", "a b", "a\nb", "A", "x" * 254, 5, None])
def test_what_cannot_be_a_name_names_nothing(name: object) -> None:
    """Names end in arguments of Helm."""
    assert _found(_manifest(name)).applications == ()


def test_other_objects_are_no_applications() -> None:
    """Sets are read with their files."""
    found = _found(_manifest(kind="ApplicationSet"), _manifest(kind="AppProject"), "- argoproj.io\n")
    assert [(each.path, each.name) for each in found.sets] == [("0.yaml", "shop")]
    assert (found.applications, found.clusters, found.unreadable) == ((), (), ())


def test_a_set_where_argo_cd_does_not_look_is_none() -> None:
    """It is counted."""
    manifest = json.loads(_manifest(kind="ApplicationSet"))
    manifest["metadata"]["namespace"] = "team"
    found = _found(json.dumps(manifest))
    assert (found.sets, found.outside) == ((), 1)


def test_clusters_are_secrets_with_a_label() -> None:
    """What else is in them is not kept."""
    labels = "{argocd.argoproj.io/secret-type: cluster, env: dev}"
    secret = (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x, labels: {labels}}}\nstringData: {{name: dev}}\n"
    )
    assert may_describe(secret.encode())
    (cluster,) = _found(secret).clusters
    assert (cluster.name, cluster.labels["env"]) == ("dev", "dev")


def test_what_is_no_yaml_is_told() -> None:
    """With its place."""
    (told,) = _found("a: {b\n").unreadable
    assert told.startswith("0.yaml, line 2, column 1: ")


def test_one_description_counts_once_and_two_are_told_apart() -> None:
    """By the file of the second."""
    found = _found(_manifest(), _manifest(), _manifest(path="other"))
    assert [each.namespace for each in found.applications] == ["argocd", "2.yaml: argocd"]
    assert {each.instance for each in found.applications} == {"shop"}


@pytest.mark.parametrize(
    ("namespaces", "home", "outside"),
    [(frozenset({"argocd", "a"}), "argocd", 0), (frozenset({"gitops", "team"}), "gitops", 0)],
)
def test_an_application_without_a_namespace_is_where_argo_cd_is(
    namespaces: frozenset[str], home: str, outside: int
) -> None:
    """In the first of the namespaces in which it looks."""
    found = _found(_manifest(), namespaces=namespaces)
    assert ([each.namespace for each in found.applications], found.outside) == ([home], outside)


def test_an_application_where_argo_cd_does_not_look_is_none() -> None:
    """It is counted."""
    manifest = json.loads(_manifest())
    manifest["metadata"]["namespace"] = "team"
    found = _found(json.dumps(manifest))
    assert (found.applications, found.outside) == ((), 1)
