"""Which images the differences are of that an Application ignores."""

from typing import Any

import pytest

from gitops_backup.domain.workloads import Container, Workload, WorkloadKey
from gitops_backup.sources.differences import ignored_by, ignored_images, ignored_on

WEB = WorkloadKey("Deployment", "shop", "web")
CONTAINERS = [
    Container("setup", "a:1", True, 0),
    Container("web", "a:1", False, 0, managers=("argocd-controller", "image-updater")),
    Container("proxy", "a:1", False, 1),
]
ALL, NONE = ["setup", "web", "proxy"], list[str]()


def covered(entry: dict[str, Any], key: WorkloadKey = WEB) -> list[str]:
    found = list(ignored_images([{"group": "apps", "kind": "Deployment", **entry}], "spec.ignoreDifferences"))
    return [each.name for each in CONTAINERS if any(one.covers(key, each) for one in found)]


@pytest.mark.parametrize(
    ("pointer", "names"),
    [
        ("/spec/template/spec/containers/0/image", ["web"]),
        ("/spec/template/spec/containers/1", ["proxy"]),
        ("/spec/template/spec/containers/2/image", NONE),
        ("/spec/template/spec/initContainers/0/image", ["setup"]),
        ("/spec/template/spec/containers", ["web", "proxy"]),
        ("/spec/template/spec", ALL),
        ("/spec/template", ALL),
        ("/spec", ALL),
        ("/spec/replicas", NONE),
        ("/spec/template/spec/containers/0/imagePullPolicy", NONE),
        ("/spec/template/spec/containers/0/image/tag", NONE),
        ("/spec/template/spec/containers/-/image", NONE),
        ("/spec/template/metadata", NONE),
        ("/metadata", NONE),
        ("/status", NONE),
        ("spec", NONE),
        ("", NONE),
        ("/", NONE),
    ],
)
def test_a_pointer_is_of_an_image_or_of_what_it_lies_in(pointer: str, names: list[str]) -> None:
    """What lies beside it, or in it, is something else."""
    assert covered({"jsonPointers": ["/spec/replicas", pointer]}) == names


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        (".spec.template.spec.containers[].image", ["web", "proxy"]),
        (".spec.template.spec.containers[]?.image", ["web", "proxy"]),
        (".spec.template.spec.containers[1].image", ["proxy"]),
        (".spec.template.spec.initContainers[].image", ["setup"]),
        ('.spec["template"].spec["containers"][].image', ["web", "proxy"]),
        ('.spec.template.spec.containers[] | select(.name == "web") | .image', ["web"]),
        ('.spec.template.spec.containers[] | select(.name=="web").image', ["web"]),
        ('.spec.template.spec.containers[]|select(.name == "web")', ["web"]),
        (".spec.template.spec.containers", ["web", "proxy"]),
        (".spec.template.spec.containers[] | .image", ["web", "proxy"]),
        (".spec", ALL),
        (".spec.template.spec.containers[].env", NONE),
        (".spec.replicas", NONE),
        # what these are of, jq alone knows
        ('.spec.template.spec.containers[] | select(.image | contains("x")) | .image', NONE),
        ('.spec.template.spec.containers[] | select(.name != "web") | .image', NONE),
        (".spec.template.spec.containers | map(.image)", NONE),
        (".. | .image?", NONE),
        (".", NONE),
        ("", NONE),
        (".spec.template.spec.containers[].image |", NONE),
        ("x" * 100_000, NONE),
        (".spec" * 50_000, NONE),
    ],
)
def test_an_expression_is_understood_where_it_is_a_path(expression: str, names: list[str]) -> None:
    """Others are not guessed at."""
    assert covered({"jqPathExpressions": [expression]}) == names


@pytest.mark.parametrize(
    ("entry", "is_covered"),
    [
        ({}, True),
        ({"group": "*", "kind": "*"}, True),
        ({"group": ""}, False),
        ({"kind": "DaemonSet"}, False),
        ({"kind": "D*"}, True),
        ({"name": "web", "namespace": "shop"}, True),
        ({"name": "api"}, False),
        ({"namespace": "other"}, False),
        ({"kind": "["}, False),
    ],
)
def test_an_entry_is_of_the_objects_that_it_names(entry: dict[str, Any], is_covered: bool) -> None:
    """Group and kind may be patterns, the name and the namespace may be missing."""
    assert bool(covered({"jsonPointers": ["/spec"], **entry})) is is_covered


@pytest.mark.parametrize(
    ("managers", "names"),
    [
        (["image-updater"], ["web"]),
        (["kubectl", "argocd-controller"], ["web"]),
        (["kubectl"], NONE),
        (["image-*"], NONE),
        (["", None], NONE),
    ],
)
def test_a_manager_is_of_the_images_that_it_owns(managers: list[Any], names: list[str]) -> None:
    """By its very name."""
    assert covered({"managedFieldsManagers": managers}) == names
    assert covered({"managedFieldsManagers": managers, "name": "other"}) == NONE


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("jsonPointers: [/spec/template/spec/containers/0/image]", ["web"]),
        ("jsonPointers:\n- /spec/replicas\n- /spec/template/spec/initContainers/0\n", ["setup"]),
        ('{"jsonPointers": ["/spec"]}', ALL),
        ("jqPathExpressions: [.spec]\nmanagedFieldsManagers: [image-updater]", NONE),
        ("[/spec]", NONE),
        ("jsonPointers: /spec", NONE),
        ("{", NONE),
        ("", NONE),
    ],
)
def test_a_workload_says_itself_by_pointers_what_is_passed_over(said: str, names: list[str]) -> None:
    """It speaks of itself alone."""
    annotations = {"argocd.argoproj.io/ignore-differences": said}
    web = Workload.project(
        "Deployment", {"metadata": {"namespace": "shop", "name": "web", "annotations": annotations}}
    )
    found = list(ignored_on(web))
    assert [each.name for each in CONTAINERS if any(one.covers(WEB, each) for one in found)] == names
    other = WEB._replace(name="other")
    assert not any(one.covers(other, each) for one in found for each in CONTAINERS)
    assert {each.place for each in found} <= {"the workload"}


def test_the_field_is_named() -> None:
    """By its entry and its place there."""
    entries = [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/status", "/spec"]}]
    (found,) = ignored_images([None, *entries], "spec.ignoreDifferences")
    assert found.field == "spec.ignoreDifferences[1].jsonPointers[1]"
    more = {"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["a", "b"]}
    fields = [each.field for each in ignored_by(more, "all", place="there")]
    assert fields == ["all.managedFieldsManagers[0]", "all.managedFieldsManagers[1]"]


@pytest.mark.parametrize("odd", [None, [], "text", 3, [None, 3], {"a": 1}])
def test_odd_values_are_no_error(odd: Any) -> None:
    """One that is odd must not make the others unreadable."""
    covered({"jsonPointers": odd, "jqPathExpressions": odd, "managedFieldsManagers": odd, "name": odd})
    assert list(ignored_images([odd], "x")) == []
