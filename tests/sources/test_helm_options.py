"""What an Application itself says of a chart."""

import pytest

from gitops_backup.sources.helm.options import HelmBlock
from gitops_backup.sources.rendering import FileParameter, Parameter
from tests.sources.charts import application


def test_the_block_is_read_whole() -> None:
    """Each field that changes what is rendered is kept."""
    helm = {
        "releaseName": "shop",
        "namespace": "other",
        "valueFiles": ["a.yaml", "$values/b.yaml"],
        "ignoreMissingValueFiles": True,
        "values": "a: b",
        "parameters": [
            {"name": "image.tag", "value": "1.25", "forceString": True},
            {"name": "replicas", "value": "2"},
        ],
        "skipSchemaValidation": True,
        "kubeVersion": "1.30.0",
        "apiVersions": ["traefik.io/v1alpha1/Middleware"],
        "fileParameters": [{"name": "a", "path": "b"}],
        "version": "v3",
    }
    assert application(helm).sources[0].helm == HelmBlock(
        place="spec.source.helm",
        release="shop",
        namespace="other",
        value_files=("a.yaml", "$values/b.yaml"),
        ignore_missing_value_files=True,
        values="a: b",
        values_field="values",
        parameters=(Parameter("image.tag", "1.25", text=True), Parameter("replicas", "2")),
        skip_schema_validation=True,
        kube_version="1.30.0",
        api_versions=("traefik.io/v1alpha1/Middleware",),
        file_parameters=(FileParameter("a", "b"),),
    )


def test_what_is_missing_or_odd_reads_as_unset() -> None:
    """A file may hold anything."""
    odd = {
        "releaseName": 1,
        "valueFiles": ["a.yaml", {}, 2],
        "ignoreMissingValueFiles": "yes",
        "values": {"a": "b"},
        "valuesObject": ["a"],
        "parameters": [1, {"value": "x"}, {"name": "a"}],
        "apiVersions": "v1",
    }
    unset = HelmBlock(place="spec.source.helm")
    assert application({}).sources[0].helm == unset
    assert HelmBlock.project(odd, place="x") == HelmBlock(
        place="x", value_files=("a.yaml",), parameters=(Parameter("a", ""),)
    )


@pytest.mark.parametrize(
    ("helm", "values", "field"),
    [
        ({"valuesObject": {"a": {"b": 1}}, "values": "c: d"}, '{"a": {"b": 1}}', "valuesObject"),
        ({"valuesObject": {}, "values": "c: d"}, "{}", "valuesObject"),
        ({"valuesObject": None, "values": "c: d"}, "c: d", "values"),
        ({"values": ""}, "", ""),
    ],
)
def test_an_object_wins_over_a_text(helm: dict[str, object], values: str, field: str) -> None:
    """Even an empty one."""
    block = HelmBlock.project(helm, place="x")
    assert (block.values, block.values_field) == (values, field)


def test_values_are_not_shown() -> None:
    """What is set inline may be a password."""
    helm = {"values": "password: hush", "parameters": [{"name": "token", "value": "hush"}]}
    assert "hush" not in repr(HelmBlock.project(helm, place="x"))
