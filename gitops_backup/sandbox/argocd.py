"""A stand-in for Argo CD's application controller, for Applications with one source that deploys something.

It applies directories of manifests, and kustomizations and charts where it is given what renders these. A
chart may come from a chart repository, in a version, and its value files from other sources, by their `ref`.

It follows the branch of each Application in the sandbox's Git host, and compares and applies when the branch
moves, when the annotation `argocd.argoproj.io/refresh` asks for it (which it removes), when an operation is
requested, and, with `selfHeal`, when a workload drifts. It writes what readers of an Application rely on:
`status.sync`, `status.resources`, `status.health`, `status.sourceType`, `status.operationState`, and the
tracking annotation on what it applies. It applies only under `syncPolicy.automated`, or on request.

Plugins, and several sources that deploy, get the condition `ComparisonError`; other clusters are left alone.
It prunes nothing, and knows no hooks, waves, windows, projects, or files of parameters beside a source.
Nothing of the product knows that it is not the real one.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from gitops_backup.errors import GitopsBackupError
from gitops_backup.sandbox.agenda import Agenda
from gitops_backup.sandbox.api import Api, ApiError, Json
from gitops_backup.sandbox.charts import fetch_chart
from gitops_backup.sandbox.directory import manifests, source_type
from gitops_backup.sandbox.following import Follower, Key
from gitops_backup.sandbox.githost import GitFailed, GitHost
from gitops_backup.sandbox.health import health, worst
from gitops_backup.sandbox.renderers import Renderers

NAMESPACE = "argocd"
REFRESH = "argocd.argoproj.io/refresh"
TRACKING = "argocd.argoproj.io/tracking-id"

_MANAGER = "argocd-controller"
_THREADS = 4
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_AFTER_A_DRIFT = 0.1
_TREES_KEPT = 8
_APPLICATIONS = "/apis/argoproj.io/v1alpha1"
_THIS_CLUSTER = ("https://kubernetes.default.svc", "in-cluster")
_PLURALS = {"Deployment": "deployments", "DaemonSet": "daemonsets"}


@dataclass(frozen=True, slots=True)
class _Resource:
    wanted: Json
    live: Json | None

    @property
    def synced(self) -> bool:
        # what came from a list does not say its kind
        wanted = {name: each for name, each in self.wanted.items() if name not in ("apiVersion", "kind")}
        return self.live is not None and _within(wanted, self.live)

    @property
    def health(self) -> str:
        return health(self.wanted["kind"], self.live)

    @property
    def entry(self) -> Json:
        group, _, version = self.wanted["apiVersion"].rpartition("/")
        meta = self.wanted["metadata"]
        return {
            "group": group,
            "version": version,
            "kind": self.wanted["kind"],
            **({"namespace": meta["namespace"]} if "namespace" in meta else {}),
            "name": meta["name"],
            "status": "Synced" if self.synced else "OutOfSync",
            "health": {"status": self.health},
        }


class ArgoCdStandIn:
    """Compares and applies Applications between enter and exit; `report` gets a line when that fails."""

    def __init__(
        self,
        *,
        api: Api,
        git: GitHost,
        renderers: Renderers,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._api = api
        self._git = git
        self._renderers = renderers
        self._agenda = Agenda(
            self._handle, threads=_THREADS, report=lambda line: report(f"stand-in for Argo CD: {line}")
        )
        self._applications = Follower(
            api, f"{_APPLICATIONS}/applications", changed=lambda key, _: self._agenda.add(key)
        )
        self._workloads = {
            kind: Follower(api, f"/apis/apps/v1/{plural}", changed=self._reaction(kind))
            for kind, plural in _PLURALS.items()
        }
        self._trees: dict[tuple[str, str], dict[str, bytes]] = {}
        self._lock = threading.Lock()
        self._heads: dict[Key, list[str | None]] = {}
        self._stopping = threading.Event()
        self._looking = threading.Thread(target=self._look, name="sandbox-argocd", daemon=True)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        for follower in (*self._workloads.values(), self._applications):
            self._running.enter_context(follower)
        self._running.enter_context(self._agenda)
        self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._looking.join()
        self._running.close()

    def _look(self) -> None:
        """Notice branches that moved; a read of a file each, so often is cheap."""
        while not self._stopping.wait(_SECONDS_BETWEEN_LOOKS):
            seen: dict[tuple[str, str], str | None] = {}
            for key, application in self._applications.all().items():
                heads = []
                for source in _sources(application["spec"]):
                    at = (source.get("repoURL", ""), source.get("targetRevision") or "HEAD")
                    if at not in seen:
                        seen[at] = self._resolve(*at)
                    heads.append(seen[at])
                if self._heads.get(key) != heads:
                    self._heads[key] = heads
                    self._agenda.add(key)

    def _reaction(self, kind: str) -> Callable[[Key, Json | None], None]:
        def react(key: Key, before: Json | None) -> None:
            thing = self._workloads[kind].get(key) or before or {}
            tracked = (thing.get("metadata", {}).get("annotations") or {}).get(TRACKING, "")
            instance = tracked.partition(":")[0]
            if instance:
                namespace, _, name = instance.rpartition("_")
                self._agenda.add((namespace or NAMESPACE, name), after=_SECONDS_AFTER_A_DRIFT)

        return react

    def _handle(self, key: Key) -> None:
        application = self._applications.get(key)
        if application is None or not _is_for_this_cluster(application):
            return
        if application["metadata"].get("deletionTimestamp"):
            self._finish_deletion(application)
            return
        try:
            change = self._compare_and_sync(application)
        except GitopsBackupError as error:
            change = _unknown(str(error))
        self._write(application, change)

    def _compare_and_sync(self, application: Json) -> Json:
        spec = application["spec"]
        sources = _sources(spec)
        deploying = [each for each in sources if not each.get("ref")]
        if spec.get("sourceHydrator") or len(deploying) != 1 or (spec.get("sources") and len(sources) == 1):
            return _unknown("this stand-in knows Applications with one source only")
        revisions = [self._revision(each) for each in sources]
        for each, found_at in zip(sources, revisions, strict=True):
            if found_at is None:
                return _unknown(f"{each['repoURL']} has no {each.get('targetRevision') or 'HEAD'}")
        trees = [self._files(each, at or "") for each, at in zip(sources, revisions, strict=True)]
        revision: Json = {"revisions": revisions} if spec.get("sources") else {"revision": revisions[0]}
        source, tree = deploying[0], trees[sources.index(deploying[0])]
        refs = {each["ref"]: tree for each, tree in zip(sources, trees, strict=True) if each.get("ref")}
        kind = source_type(tree, source)
        if kind == "Plugin":
            return {**_unknown("this stand-in knows no plugins"), "sourceType": kind}
        found = (
            manifests(tree, source)
            if kind == "Directory"
            else self._renderers.render(
                kind, tree, {**application, "spec": {**spec, "source": source}}, refs=refs
            )
        )
        wanted = [self._wanted(each, application) for each in found]
        resources = [_Resource(each, self._live(each)) for each in wanted]
        operation: Json = {}
        if _is_sync_due(application, resources, revision):
            resources, operation = self._sync(application, resources, revision)
        many = bool(spec.get("sources"))
        return {
            **({"sourceTypes": [kind if each is source else "" for each in sources]} if many else {}),
            **({} if many else {"sourceType": kind}),
            "sync": {
                "status": "Synced" if all(each.synced for each in resources) else "OutOfSync",
                **revision,
                "comparedTo": {
                    **({"sources": sources} if many else {"source": source}),
                    "destination": spec["destination"],
                },
            },
            "health": {"status": worst(each.health for each in resources)},
            "resources": sorted((each.entry for each in resources), key=_order),
            "conditions": [],
            **operation,
        }

    def _wanted(self, manifest: Json, application: Json) -> Json:
        meta = dict(manifest["metadata"])
        if self._api.is_namespaced(manifest):
            meta.setdefault("namespace", application["spec"]["destination"].get("namespace", "default"))
        group = manifest["apiVersion"].rpartition("/")[0]
        place = f"{group}/{manifest['kind']}:{meta.get('namespace', '')}/{meta['name']}"
        tracking = {TRACKING: f"{_instance(application)}:{place}"}
        meta["annotations"] = {**(meta.get("annotations") or {}), **tracking}
        return {**manifest, "metadata": meta}

    def _live(self, wanted: Json) -> Json | None:
        if wanted["apiVersion"] == "apps/v1" and wanted["kind"] in self._workloads:
            meta = wanted["metadata"]
            return self._workloads[wanted["kind"]].get((meta["namespace"], meta["name"]))
        return self._api.find(self._api.path_of(wanted))

    def _sync(
        self, application: Json, resources: list[_Resource], revision: Json
    ) -> tuple[list[_Resource], Json]:
        started = _now()
        failures = []
        applied = []
        if "CreateNamespace=true" in (application["spec"].get("syncPolicy") or {}).get("syncOptions", []):
            self._create_namespace(application["spec"]["destination"]["namespace"])
        for resource in sorted(resources, key=lambda each: each.wanted["kind"] != "Namespace"):
            try:
                live = self._api.apply(resource.wanted, manager=_MANAGER)
            except ApiError as error:
                failures.append(error.message)
                applied.append(resource)
                continue
            applied.append(_Resource(resource.wanted, live))
            if live["apiVersion"] == "apps/v1" and live["kind"] in self._workloads:
                self._workloads[live["kind"]].note(live)
        state = {
            "phase": "Failed" if failures else "Succeeded",
            "message": "; ".join(failures) or "successfully synced (all tasks run)",
            "startedAt": started,
            "finishedAt": _now(),
            "operation": application.get("operation") or {"sync": revision},
            "syncResult": {
                **revision,
                **{
                    name: application["spec"][name]
                    for name in ("source", "sources")
                    if name in application["spec"]
                },
            },
        }
        return applied, {"operationState": state}

    def _create_namespace(self, name: str) -> None:
        if self._api.find(f"/api/v1/namespaces/{name}") is None:
            self._api.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager=_MANAGER
            )

    def _write(self, application: Json, change: Json) -> None:
        asked = REFRESH in (application["metadata"].get("annotations") or {})
        requested = bool(application.get("operation"))
        if not asked and not requested and _within(change, application.get("status") or {}):
            return
        patch: Json = {"status": {**change, "reconciledAt": _now()}}
        if asked:
            patch["metadata"] = {"annotations": {REFRESH: None}}
        if requested:
            patch["operation"] = None
        try:
            self._applications.note(self._api.merge(_path(application), patch))
        except ApiError as error:
            if error.status != 404:
                raise

    def _finish_deletion(self, application: Json) -> None:
        finalizers = application["metadata"].get("finalizers") or []
        if any(each.startswith("resources-finalizer.argocd.argoproj.io") for each in finalizers):
            for entry in application.get("status", {}).get("resources", []):
                version = "/".join(filter(None, (entry["group"], entry["version"])))
                meta = {"name": entry["name"], "namespace": entry.get("namespace", "")}
                thing = {"apiVersion": version, "kind": entry["kind"], "metadata": meta}
                self._api.delete(self._api.path_of(thing))
        if finalizers:
            self._api.merge(_path(application), {"metadata": {"finalizers": None}})

    def _revision(self, source: Json) -> str | None:
        """The commit of a source, or the version of a chart."""
        revision = source.get("targetRevision") or "HEAD"
        return revision if source.get("chart") else self._resolve(source["repoURL"], revision)

    def _files(self, source: Json, revision: str) -> dict[str, bytes]:
        if source.get("chart"):
            return fetch_chart(source["repoURL"], source["chart"], revision)
        return self._tree(self._git.repository(source["repoURL"]) or "", revision)

    def _resolve(self, url: str, revision: str) -> str | None:
        repository = self._git.repository(url)
        try:
            return self._git.resolve(repository, revision) if repository else None
        except GitFailed:
            return None

    def _tree(self, repository: str, revision: str) -> dict[str, bytes]:
        with self._lock:
            tree = self._trees.get((repository, revision))
            if tree is None:
                while len(self._trees) >= _TREES_KEPT:
                    self._trees.pop(next(iter(self._trees)))
                tree = self._trees[repository, revision] = self._git.files(repository, revision)
            return tree


def _is_for_this_cluster(application: Json) -> bool:
    destination = application["spec"].get("destination") or {}
    return any(destination.get(name) in _THIS_CLUSTER for name in ("server", "name"))


def _sources(spec: Json) -> list[Json]:
    return [each for each in spec.get("sources") or [spec.get("source")] if each]


def _is_sync_due(application: Json, resources: list[_Resource], revision: Json) -> bool:
    if application.get("operation"):
        return True
    automated = (application["spec"].get("syncPolicy") or {}).get("automated")
    if automated is None or automated.get("enabled") is False or all(each.synced for each in resources):
        return False
    # one attempt for a revision of a source, as nothing else would come of it, unless drift is to be undone
    last = application.get("status", {}).get("operationState", {}).get("syncResult", {})
    new = any(last.get(name) != at for name, at in revision.items())
    return bool(automated.get("selfHeal")) or new or _sources(last) != _sources(application["spec"])


def _instance(application: Json) -> str:
    meta = application["metadata"]
    return str(meta["name"] if meta["namespace"] == NAMESPACE else f"{meta['namespace']}_{meta['name']}")


def _path(application: Json) -> str:
    meta = application["metadata"]
    return f"{_APPLICATIONS}/namespaces/{meta['namespace']}/applications/{meta['name']}"


def _unknown(message: str) -> Json:
    return {
        "sync": {"status": "Unknown"},
        "conditions": [{"type": "ComparisonError", "message": message}],
    }


def _within(wanted: object, live: object) -> bool:
    """Whether everything that `wanted` says is so in `live`, which may say more."""
    if isinstance(wanted, dict) and wanted:
        return isinstance(live, dict) and all(_within(each, live.get(name)) for name, each in wanted.items())
    if isinstance(wanted, list) and wanted:
        if not isinstance(live, list) or len(live) != len(wanted):
            return False
        return all(map(_within, wanted, live))
    if wanted is None or wanted in ("", [], {}):
        return not live
    return wanted == live


def _order(entry: Json) -> tuple[str, ...]:
    return entry["group"], entry["kind"], entry.get("namespace", ""), entry["name"]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
