"""Repositories for reports without a cluster: files in a work tree, and Applications that name them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.git.bare import run_git

URL = "https://git.example.com/acme/shop"
IN_CLUSTER = {"server": "https://kubernetes.default.svc"}


def application(
    name: str, path: str, *, url: str = URL, cluster: Mapping[str, str] = IN_CLUSTER, **source: Any
) -> bytes:
    """The manifest of an Application that deploys a folder to the namespace of its own name."""
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": path, **source},
            "destination": {**cluster, "namespace": name},
        },
    }
    return json.dumps(manifest).encode()


def application_set(
    *generators: object,
    name: str = "set",
    path: str = "{{path}}",
    last: str = "{{path.basename}}",
    go: bool = False,
) -> bytes:
    """The manifest of a set whose Applications have names that begin with its own."""
    template = {
        "metadata": {"name": f"{name}-{last}"},
        "spec": {
            "project": "default",
            "source": {"repoURL": URL, "path": path},
            "destination": {**IN_CLUSTER, "namespace": "default"},
        },
    }
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": name},
        "spec": {"goTemplate": go, "generators": generators, "template": template},
    }
    return json.dumps(manifest).encode()


def deployment(name: str, image: str, **metadata: Any) -> bytes:
    """The manifest of a Deployment, its image on line 10."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {json.dumps({"name": name, **metadata})}
spec:
  template:
    spec:
      containers:
      # the one that matters
      - name: main
        image: {image}
""".encode()


def work_tree(folder: Path, files: Mapping[str, bytes], *, remote: str | None = f"{URL}.git") -> Path:
    """A work tree with these files in a commit, and with a remote."""
    folder.mkdir()
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if remote is not None:
        run_git(folder, "remote", "add", "origin", remote)
    commit_all(folder)
    return folder


def commit_all(folder: Path) -> None:
    """Commit whatever is there."""
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message=Change")
