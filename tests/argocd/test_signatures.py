"""A signed commit is what a real Argo CD wants to see where a project asks for signatures."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.sandbox.realargocd import signing_keys_folder
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from tests.argocd.world import backup_of
from tests.end_to_end.harness import Controller
from tests.end_to_end.repositories import Repository
from tests.end_to_end.scene import manifest
from tests.git.keys import OpenPgpKey

_SECONDS = 180.0
_NAMESPACE = "signatures"


@pytest.fixture
def key() -> Iterator[OpenPgpKey]:
    """An OpenPGP key whose subkey signs; gpg's agent wants a short path."""
    folder = Path(tempfile.mkdtemp(prefix="gb-"))
    made = OpenPgpKey(folder / "key")
    made.add_signing_subkey()
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


def _project(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}], **spec},
    }


@pytest.mark.parametrize("form", ["signatureKeys", "sourceIntegrity"])
def test_a_commit_is_taken_from_whom_the_project_names(
    sandbox: Sandbox, key: OpenPgpKey, tmp_path: Path, form: str
) -> None:
    """A person's unsigned one stops the syncs; the controller's, with the key's subkey, is rolled out."""
    name = form.lower()
    upstream = f"acme/{name}:1"
    policy = {"repos": [{"url": "*"}], "gpg": {"mode": "head", "keys": [key.key_id]}}
    wants: dict[str, dict[str, Any]] = {
        "signatureKeys": {"signatureKeys": [{"keyID": key.key_id}]},
        "sourceIntegrity": {"sourceIntegrity": {"git": {"policies": [policy]}}},
    }
    (signing_keys_folder(sandbox) / key.key_id).write_bytes(key.public)
    sandbox.push(upstream)
    sandbox.namespace(_NAMESPACE)
    thing = yaml.safe_dump(manifest("Deployment", name, [upstream], namespace=_NAMESPACE, replicas=1))
    repository = Repository(sandbox.git, name)
    url = sandbox.git.create(name, {"app.yaml": thing.encode()})
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": name,
            "source": {"repoURL": url, "path": "."},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": _NAMESPACE},
            "syncPolicy": {"automated": {}},
        },
    }
    deployment = f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments/{name}"

    def conditions() -> str:
        found = sandbox.api.get(f"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{name}")
        return str(found.get("status", {}).get("conditions"))

    def image() -> str:
        found = sandbox.api.find(deployment) or {}
        containers = found.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])
        return str(containers[0].get("image"))

    sandbox.apply(_project(name), application)
    until(lambda: image() == upstream, what="the first sync", timeout=_SECONDS)
    sandbox.apply(_project(name, **wants[form]))
    repository.commit({"notes.txt": b"not signed\n"})
    until(lambda: "Failed verifying revision" in conditions(), what="Argo CD to want more", timeout=_SECONDS)
    with Controller(sandbox, "gitops", folder=tmp_path, git_signing_key=str(key.file)):
        until(lambda: image() == backup_of(upstream), what="the signed commit's rollout", timeout=_SECONDS)
    assert key.verify(sandbox.git.path(name), "main").returncode == 0
    sandbox.api.delete(sandbox.api.path_of(application))
