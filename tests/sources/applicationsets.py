"""Sets in folders: a set's manifest, the files of its repository, and the clusters that there are."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.applicationsets.generators import Surroundings
from gitops_backup.sources.applicationsets.sets import Evaluation, evaluate, read_sets
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.trees import Tree

GOLDEN = Path(__file__).parent / "golden" / "applicationsets"
REPOSITORY = "https://git.example/shop"


def evaluated(
    manifest: bytes,
    files: Mapping[str, bytes],
    *,
    renderer: Renderer,
    clusters: Sequence[Cluster] = (),
    links: Sequence[str] = (),
) -> Evaluation:
    """What the one set in a manifest generates in a repository with these files."""
    (found,) = read_sets("set.yaml", manifest, namespace="argocd")
    modes = dict.fromkeys(files, "100644") | dict.fromkeys(links, "120000")
    around = Surroundings(
        tree=Tree(modes), is_here=lambda url, _: url.startswith(REPOSITORY), contents=files, clusters=clusters
    )
    return evaluate(found, around, renderer=renderer)


def clusters_in(path: Path) -> list[Cluster]:
    """The clusters of the Secrets in a file, which may be missing."""
    secrets = list(yaml.safe_load_all(path.read_bytes())) if path.exists() else []
    return [found for secret in secrets if (found := Cluster.project_secret(secret)) is not None]


def applications(evaluation: Evaluation) -> list[Any]:
    """The Applications in the order of their names, without what is empty."""
    found = [pruned(each.application) for each in evaluation.generated]
    return sorted(found, key=lambda each: str(each["metadata"].get("name")))


def pruned(value: Any) -> Any:
    """A value without what is empty in it."""
    if isinstance(value, Mapping):
        held = {key: pruned(each) for key, each in value.items()}
        return {key: each for key, each in held.items() if each not in (None, "", {}, [])}
    return [pruned(each) for each in value] if isinstance(value, list) else value


def manifest(*generators: object, go: bool = False, name: str = "", made: str = "", **spec: object) -> bytes:
    """The manifest of a set whose Applications say `made` of themselves; `name` is their parameter's."""
    source = {"repoURL": REPOSITORY, "path": "app"}
    metadata = {"name": name or ("{{ .name }}" if go else "{{name}}"), "annotations": {"made": made}}
    template = {"metadata": metadata, "spec": {"project": "default", "source": source}}
    whole = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "shop"},
        "spec": {"goTemplate": go, "generators": generators, "template": template, **spec},
    }
    return json.dumps(whole).encode()
