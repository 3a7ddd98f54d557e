"""What the tests deploy with Argo CD, and what they see of it: repositories, Applications, live objects.

`repositories/` has a folder for each repository, `applications/` what somebody applies by hand. In their
files `https://git.example/` stands for the sandbox's Git host, and `https://charts.example` for a repository
of charts. All images have the tag `FIRST` at the start.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gitops_backup.sandbox.api import Api, Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from tests.end_to_end.repositories import Repository

FIRST = "1.0.0"
NAMESPACE = "shapes"
TEAM = "team"
"""A namespace of Applications, beside Argo CD's own."""

_HERE = Path(__file__).parent
_GIT = b"https://git.example"
_CHARTS = b"https://charts.example"
# what came from a list does not say its kind
_APPLICATION = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"}
_WORKLOADS = ("deployments", "daemonsets", "statefulsets")
_DOCKER_HUB = "docker.io/"
_SECONDS_TO_SETTLE = 600.0
# what the API server and controllers write about a change of something else
_CONSEQUENCES = re.compile(
    r"status|metadata\.(resourceVersion|generation|managedFields|annotations\."
    r"(deployment\.kubernetes\.io/revision|deprecated\.daemonset\.template\.generation))"
)
# what was applied is compared like the object itself
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class Change:
    """A field of a live object that is not as it was; None where it was not there, or is not any more."""

    where: str
    before: object
    after: object


class World:
    """The repositories on the sandbox's Git host, and the Applications that deploy them.

    `charts` is the address of a repository of charts.
    """

    def __init__(self, sandbox: Sandbox, *, charts: str) -> None:
        self.sandbox = sandbox
        self.charts = charts
        self.api: Api = sandbox.api
        self._addresses = {_GIT: sandbox.git.root.encode(), _CHARTS: charts.encode()}
        self.repositories: dict[str, Repository] = {}

    def create(self) -> None:
        """Create the repositories and apply the Applications."""
        for folder in sorted((_HERE / "repositories").iterdir()):
            files = {
                str(path.relative_to(folder)): self._read(path)
                for path in folder.rglob("*")
                if path.is_file()
            }
            self.sandbox.git.create(folder.name, files)
            self.repositories[folder.name] = Repository(self.sandbox.git, folder.name)
        for namespace in (NAMESPACE, TEAM):
            self.sandbox.namespace(namespace)
        for path in sorted((_HERE / "applications").glob("*.yaml")):
            for thing in yaml.safe_load_all(self._read(path)):
                self.sandbox.apply(thing)

    def replace(self, repository: str, texts: Mapping[str, str]) -> str:
        """A commit by somebody who replaces texts in all files, longer ones first; returns its id."""
        found = self.repositories[repository]
        files = self.sandbox.git.files(found.name, "main")
        changed = {name: replaced(content.decode(), texts).encode() for name, content in files.items()}
        written = {name: content for name, content in changed.items() if content != files[name]}
        assert written, f"none of {sorted(texts)} is in {repository}"
        return found.commit(written)

    def commits(self) -> dict[str, int]:
        """How many commits each repository has."""
        return {name: repository.commits() for name, repository in self.repositories.items()}

    def applications(self) -> dict[str, Json]:
        """The live Applications, by their paths in the API."""
        found = self.api.items(f"/apis/{_APPLICATION['apiVersion']}/applications")
        return {self.api.path_of({**_APPLICATION, **each}): each for each in found}

    def workloads(self) -> dict[str, Json]:
        """The live workloads, by their paths in the API."""
        root = f"/apis/apps/v1/namespaces/{NAMESPACE}"
        return {
            f"{root}/{plural}/{each['metadata']['name']}": each
            for plural in _WORKLOADS
            for each in self.api.items(f"{root}/{plural}")
        }

    def objects(self) -> dict[str, Json]:
        """Everything that the Applications say they deployed, by its path in the API."""
        found = {}
        for application in self.applications().values():
            for resource in application.get("status", {}).get("resources", []):
                version = "/".join(filter(None, (resource.get("group"), resource["version"])))
                meta = {"name": resource["name"], "namespace": resource.get("namespace", "")}
                path = self.api.path_of({"apiVersion": version, "kind": resource["kind"], "metadata": meta})
                found[path] = self.api.get(path)
        return found

    def images(self) -> set[str]:
        """The images of all containers of all live workloads."""
        return {image for workload in self.workloads().values() for _, image in _images(workload)}

    def settle(self, wanted: Callable[[set[str]], bool], *, what: str) -> None:
        """Wait until the images are as wanted, and every Application is Synced and Healthy at its branch."""

        def look() -> bool:
            return wanted(self.images()) and not self.unsettled()

        started = time.monotonic()
        try:
            until(look, what=what, timeout=_SECONDS_TO_SETTLE)
            print(f"{what}: {time.monotonic() - started:.0f} s")
        except Exception as error:
            error.add_note(f"images: {sorted(self.images())}")
            error.add_note(yaml.safe_dump(self.unsettled()))
            raise

    def unsettled(self) -> dict[str, Any]:
        """What keeps Applications from being Synced and Healthy, by their paths in the API."""
        return {
            path: why
            for path, each in self.applications().items()
            if (why := self._unsettled(each.get("status", {})))
        }

    def _unsettled(self, status: Json) -> Json:
        sync, health = status.get("sync", {}), status.get("health", {})
        heads = {repository.head for repository in self.repositories.values()}
        revisions = sync.get("revisions") or [sync.get("revision", "")]
        settled = sync.get("status") == "Synced" and health.get("status") == "Healthy"
        if settled and any(revision in heads for revision in revisions):
            return {}
        keys = ("conditions", "operationState")
        return {"sync": sync.get("status"), "health": health, **{key: status.get(key) for key in keys}}

    def _read(self, path: Path) -> bytes:
        content = path.read_bytes()
        for name, address in self._addresses.items():
            content = content.replace(name, address)
        return content


def replaced(text: str, texts: Mapping[str, str]) -> str:
    """The text with others in it replaced, longer ones first."""
    pattern = "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))
    return re.sub(pattern, lambda match: texts[match[0]], text)


def images_of(objects: Mapping[str, Json]) -> dict[tuple[str, str], str]:
    """Each image of these objects, by the object's path and the field's."""
    return {(path, where): image for path, thing in objects.items() for where, image in _images(thing)}


def backup_of(image: str) -> str:
    """The name that an image's copy has under flat naming, for a name without underscores."""
    name = image if "." in image.partition("/")[0] else f"{_DOCKER_HUB}{image}"
    return f"{Sandbox.backup_repository}/{name.removeprefix(_DOCKER_HUB).replace('/', '_')}"


def changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> dict[tuple[str, str], Change]:
    """Every field that differs between two looks at objects, but for what follows from other changes.

    The keys are the object's path and the field's.
    """
    found = {}
    for path in sorted(before.keys() | after.keys()):
        for change in _changes(before.get(path, {}), after.get(path, {}), ""):
            if not _CONSEQUENCES.match(change.where):
                found[path, change.where] = change
    return found


def _changes(before: object, after: object, where: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            if name == _LAST_APPLIED:
                yield from _changes(json.loads(before[name]), json.loads(after[name]), "")
            else:
                yield from _changes(before.get(name), after.get(name), f"{where}.{name}".lstrip("."))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(old, new, f"{where}[{index}]")
    elif before != after:
        yield Change(where, before, after)


def _images(workload: Json) -> Iterator[tuple[str, str]]:
    spec = workload.get("spec", {}).get("template", {}).get("spec", {})
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind) or []):
            yield f"spec.template.spec.{kind}[{index}].image", container["image"]
