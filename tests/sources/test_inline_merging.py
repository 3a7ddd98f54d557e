"""Files with parameters, merged over what an Application says: a real Argo CD is asked in tests/argocd."""

from typing import Any

import pytest

from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.inline.merging import CannotMerge, folded, merged
from tests.sources.applying import edited
from tests.sources.charts import CHART

_SOURCE = {"repoURL": "https://git.example/shop", "path": "app"}
MERGED: dict[str, tuple[dict[str, Any], Any, dict[str, Any]]] = {
    "mappings are merged": (
        {"helm": {"releaseName": "a"}},
        {"helm": {"values": "b"}},
        {"helm": {"releaseName": "a", "values": "b"}},
    ),
    "lists are replaced": (
        {"kustomize": {"images": ["a", "b"]}},
        {"kustomize": {"images": ["c"]}},
        {"kustomize": {"images": ["c"]}},
    ),
    "what an item does not say stays as it was in its place": (
        {"helm": {"parameters": [{"name": "a", "value": "1", "forceString": True}]}},
        {"helm": {"parameters": [{"name": "b", "value": "2"}]}},
        {"helm": {"parameters": [{"name": "b", "value": "2", "forceString": True}]}},
    ),
    "a field is not taken away": ({"helm": {"values": "a"}}, {"helm": None}, {"helm": {"values": "a"}}),
    "a value is": (
        {"helm": {"valuesObject": {"a": 1, "b": {"c": 2}}}},
        {"helm": {"valuesObject": {"a": None, "b": {"d": 3}}}},
        {"helm": {"valuesObject": {"b": {"c": 2, "d": 3}}}},
    ),
    "where it is from stays": ({}, {"path": "other", "repoURL": "x", "chart": "y"}, {}),
    "names of fields in any letter case": (
        {},
        {"HELM": {"releasename": "a"}},
        {"helm": {"releaseName": "a"}},
    ),
    "those of values as they are": (
        {},
        {"helm": {"valuesObject": {"Images": 1}}},
        {"helm": {"valuesObject": {"Images": 1}}},
    ),
    "something else altogether": ({}, {"owner": "me"}, {"owner": "me"}),
}


@pytest.mark.parametrize(("said", "patch", "wanted"), MERGED.values(), ids=MERGED.keys())
def test_files_are_merged_as_argo_cd_does(said: dict[str, Any], patch: Any, wanted: dict[str, Any]) -> None:
    """A merge patch, decoded onto what there was."""
    assert merged(_SOURCE | said, folded(patch)) == _SOURCE | wanted


@pytest.mark.parametrize("patch", [None, ["a"], "a", {"helm": {}, "Helm": {}}])
def test_what_cannot_be_merged_is_refused(patch: Any) -> None:
    """Argo CD says what is wrong, or which of two it takes is hard to tell."""
    with pytest.raises(CannotMerge):
        merged(_SOURCE, folded(patch))


def test_a_file_that_cannot_be_merged_is_named(helm_renderer: LocalRenderer) -> None:
    """With what is wrong."""
    said = f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: web, namespace: argocd}}
spec:
  source: {_SOURCE}
"""
    files = {"apps/web.yaml": said.encode(), "app/Chart.yaml": CHART, "app/.argocd-source.yaml": b"- a\n"}
    (refused,) = edited(files, helm_renderer).refused
    assert f"{refused.reason}: {refused.message}" == (
        "InvalidManifest: app/.argocd-source.yaml: expected a mapping, which Argo CD does, too"
    )
