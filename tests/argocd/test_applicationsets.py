"""What an ApplicationSet is taken to generate is what a real ApplicationSet controller makes of it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from tests.sources.applicationsets import GOLDEN, REPOSITORY, pruned

_APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
_SECONDS_TO_GENERATE = 180.0
# the controller makes no Application for a cluster or a project that it does not know
_HERE = ("https://kubernetes.default.svc", "default")


def _expected(folder: Path) -> list[Json]:
    return list(yaml.safe_load_all((folder / "applications.yaml").read_bytes()))


def _is_fit(folder: Path) -> bool:
    specs = [each["spec"] for each in _expected(folder)]
    known = all((s["destination"].get("server"), s.get("project")) == _HERE for s in specs)
    return known and bool(specs) and not (folder / "clusters.yaml").exists()


FOLDERS = sorted(path.parent for path in GOLDEN.glob("*/set.yaml") if _is_fit(path.parent))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_controller_generates_the_same(sandbox: Sandbox, folder: Path) -> None:
    """The same Applications, field by field, but for their names, which are prefixed here."""
    name, tree = f"sets-{folder.name}", folder / "tree"
    files = {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    url = sandbox.git.create(name, files or {"none": b""})
    text = re.sub(rf"{re.escape(REPOSITORY)}(?:\.git)?", url, (folder / "set.yaml").read_text())
    made: Json = yaml.safe_load(text.replace("revision: main", "revision: HEAD"))
    made["metadata"] = {"name": name, "namespace": "argocd"}
    template = made["spec"]["template"]["metadata"]
    template["name"] = f"{name}-{template['name']}"
    template.setdefault("labels", {})["of-set"] = name
    sandbox.apply(made)
    expected = _expected(folder)

    def generated() -> list[Json]:
        found = sandbox.api.get(f"{_APPLICATIONS}?labelSelector=of-set%3D{name}")["items"]
        return found if len(found) == len(expected) else []

    found = until(generated, what=f"the Applications of {name}", timeout=_SECONDS_TO_GENERATE)
    shown = sorted(
        (_shown(each, name, url) for each in found), key=lambda each: str(each["metadata"]["name"])
    )
    assert shown == [pruned(each) for each in expected]


def _shown(application: Json, name: str, url: str) -> Any:
    metadata = application["metadata"]
    metadata["labels"].pop("of-set")
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if key in metadata}
    kept["name"] = kept["name"].removeprefix(f"{name}-")
    spec = yaml.safe_load(yaml.safe_dump(application["spec"]).replace(url, REPOSITORY))
    return pruned(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": kept, "spec": spec}
    )
