"""What is in the cluster, as far as decisions need it: projections, and the indexes between them.

It is filled by watches, or once from lists for a dry run. Each change answers whom it concerns, so that the
queues need not know why.
"""

import threading
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain

from gitops_backup.controller.application_index import ApplicationIndex, Manage, ObjectKey
from gitops_backup.controller.backup_index import BackupIndex
from gitops_backup.controller.journal import Journal
from gitops_backup.controller.multimap import Multimap
from gitops_backup.domain.backups import MOST_DIGESTS, ImageBackup
from gitops_backup.domain.demand import Demand
from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.planning import Management
from gitops_backup.domain.policy import Namespaces, Policy, out_of_scope
from gitops_backup.domain.unheeded import Unheeded
from gitops_backup.domain.workloads import Pod, Workload, WorkloadKey
from gitops_backup.sources.applications import Application
from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.differences import ignored_on
from gitops_backup.sources.projects import Project


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom a change concerns: workloads, and ImageBackups by name."""

    workloads: frozenset[WorkloadKey] = frozenset()
    backups: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Entry:
    """A workload, its images in normal form with the containers that name them, and its pods."""

    workload: Workload | None = None
    images: tuple[tuple[str, Reference], ...] = ()
    pods: dict[ObjectKey, Pod] = field(default_factory=dict)


class Inventory:
    """All that is known of a cluster; may be used from any thread. It is the `Facts` of decisions.

    Reading an ImageBackup gives it with the journal's news in it.
    """

    def __init__(self, policy: Policy, journal: Journal, *, manage: Manage) -> None:
        self._policy = policy
        self._journal = journal
        self._lock = threading.RLock()
        self._entries: dict[WorkloadKey, _Entry] = {}
        self._pod_owners: dict[ObjectKey, WorkloadKey] = {}
        self._users: Multimap[Reference, WorkloadKey] = Multimap()
        self._directives: dict[str, str] = {}
        self._backups = BackupIndex(policy, journal)
        self._applications = ApplicationIndex(manage)

    # -- changes ------------------------------------------------------------------------------------------

    def put_workload(self, key: WorkloadKey, workload: Workload | None) -> Concerned:
        """A workload is as given now, or gone."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            if workload is not None and workload.same_as(entry.workload):
                entry.workload = workload
                return Concerned()
            before = {image for _, image in entry.images}
            self._applications.put_workload(key, entry.workload, workload)
            entry.workload = workload
            entry.images = _images(workload) if workload is not None else ()
            after = {image for _, image in entry.images}
            for image in before - after:
                self._users.discard(image, key)
            for image in after - before:
                self._users.add(image, key)
            self._drop_if_empty(key, entry)
            if workload is not None:
                self._look(workload, entry.images)
            else:
                self._journal.drop_workload(key)
            return Concerned(frozenset({key}), frozenset(self._names(before | after)))

    def put_pod(self, key: ObjectKey, pod: Pod | None) -> Concerned:
        """A pod is as given now, or gone (then `pod` is None and `key` tells which)."""
        with self._lock:
            concerned: set[WorkloadKey] = set()
            old = self._pod_owners.pop(key, None)
            if old is not None:
                del self._entries[old].pods[key]
                concerned.add(old)
            if pod is not None:
                self._entries.setdefault(pod.workload, _Entry()).pods[key] = pod
                self._pod_owners[key] = pod.workload
                concerned.add(pod.workload)
            for owner in concerned:
                self._drop_if_empty(owner, self._entries[owner])
            images = {image for o in concerned if o in self._entries for _, image in self._entries[o].images}
            return Concerned(frozenset(concerned), frozenset(self._names(images)))

    def put_namespace(self, name: str, directive: str | None) -> Concerned:
        """A namespace's annotation is as given now."""
        with self._lock:
            if self._directives.get(name) == directive:
                return Concerned()
            if directive is None:
                del self._directives[name]
            else:
                self._directives[name] = directive
            everywhere = name == self._policy.backup_namespace
            keys = {key for key in self._entries if everywhere or key.namespace == name}
            images = {image for key in keys for _, image in self._entries[key].images}
            return Concerned(frozenset(keys), frozenset(self._names(images)))

    def put_backup(self, name: str, backup: ImageBackup | None) -> Concerned:
        """An ImageBackup is as given now, or gone."""
        with self._lock:
            old = self._backups.recorded(name)
            if old is not None and backup is not None and _older(backup, old):
                return Concerned()  # the watch is behind what was written here
            self._backups.put(name, backup)
            if backup is None:
                self._journal.drop(name)
            keys = {key for b in (old, backup) if b is not None for key in self._users_of(b)}
            if backup is not None and backup.well_named:
                self._look_at_users(backup, keys)
            concerned = keys if _decisive(old) != _decisive(backup) else set()
            return Concerned(frozenset(concerned), frozenset({name}))

    def update_backup(self, backup: ImageBackup) -> Concerned:
        """An ImageBackup was just written as given; one that is known to be gone stays gone."""
        with self._lock:
            known = self._backups.recorded(backup.name)
            if known is None or known.uid != backup.uid:
                return Concerned()
            return self.put_backup(backup.name, backup)

    def look_afresh(self) -> None:
        """Forget what was seen and not put on record, and look at everything again."""
        with self._lock:
            self._journal.clear()
            for entry in self._entries.values():
                if entry.workload is not None:
                    self._look(entry.workload, entry.images)

    def put_application(self, key: ObjectKey, application: Application | None) -> Concerned:
        """An Application is as given now, or gone."""
        with self._lock:
            return Concerned(frozenset(self._applications.put(key, application)))

    def put_project(self, key: ObjectKey, project: Project | None) -> Concerned:
        """An AppProject is as given now, or gone."""
        with self._lock:
            return Concerned(frozenset(self._applications.put_project(key, project)))

    def put_argocd(self, home: str, argocd: ArgoCd) -> Concerned:
        """The settings of the Argo CD in the namespace `home` are as given now."""
        with self._lock:
            if not self._applications.put_argocd(home, argocd):
                return Concerned()
            for key, entry in self._entries.items():
                self._applications.put_workload(key, None, entry.workload)
            return Concerned(frozenset(self._entries))

    # -- facts --------------------------------------------------------------------------------------------

    @property
    def backups(self) -> "Inventory":
        """The ImageBackups: the inventory itself knows them."""
        return self

    @property
    def namespaces(self) -> Namespaces:
        """The namespaces' annotations, as of now and later."""
        return Namespaces(self._directives)

    def workloads(self) -> Iterable[Workload]:
        """All workloads, sorted by key."""
        with self._lock:
            entries = [(key, entry.workload) for key, entry in self._entries.items()]
        return [workload for _, workload in sorted(entries, key=lambda e: e[0]) if workload is not None]

    def running(self, workload: WorkloadKey) -> Mapping[tuple[str, str], frozenset[str]]:
        """The digests that the workload's pods run, by container and image as the pods' specs name it."""
        with self._lock:
            entry = self._entries.get(workload)
            pods = list(entry.pods.values()) if entry is not None else []
        found: dict[tuple[str, str], frozenset[str]] = {}
        for pod in pods:
            for container, image, digest in pod.running:
                found[container, image] = found.get((container, image), frozenset()) | {digest}
        return found

    def awaits_pods(self, workload: Workload) -> bool:
        """Whether a container of a workload is not known to run anywhere, in a cluster where pods tell.

        The watch of pods may be a moment behind that of workloads.
        """
        with self._lock:
            if not self._pod_owners:
                return False
            running = self.running(workload.key)
            return any((each.name, each.image) not in running for each in workload.containers)

    def management(self, workload: Workload) -> Management | None:
        """What Argo CD has to say about the workload; None where it does not track it."""
        with self._lock:
            return self._applications.management(workload)

    def of_source(self, source: Reference) -> ImageBackup | None:
        """The ImageBackup whose object has this source's name, whatever source it records."""
        with self._lock:
            return self._backups.of_source(source)

    def of_backup(self, backup: Reference) -> ImageBackup | None:
        """The ImageBackup that stands for this backup."""
        with self._lock:
            return self._backups.of_backup(backup)

    def know_repository(self, backup: Reference) -> bool:
        """Whether any ImageBackup has a verified backup in this repository."""
        with self._lock:
            return self._backups.know_repository(backup)

    # -- more to ask --------------------------------------------------------------------------------------

    def workload(self, key: WorkloadKey) -> Workload | None:
        """One workload."""
        with self._lock:
            entry = self._entries.get(key)
            return entry.workload if entry is not None else None

    def backup(self, name: str) -> ImageBackup | None:
        """One ImageBackup, with the journal's news in it."""
        with self._lock:
            return self._backups.get(name)

    def recorded(self, name: str) -> ImageBackup | None:
        """One ImageBackup as it is on record, without news."""
        with self._lock:
            return self._backups.recorded(name)

    def backup_names(self) -> list[str]:
        """The names of all ImageBackups, sorted."""
        with self._lock:
            return self._backups.names()

    def applications(self) -> list[Application]:
        """All Applications, sorted by key."""
        with self._lock:
            return self._applications.everyone()

    def application(self, key: ObjectKey) -> Application | None:
        """One Application."""
        with self._lock:
            return self._applications.get(key)

    def project_of(self, application: Application) -> Project | None:
        """The project of an Application, where it is known."""
        with self._lock:
            return self._applications.project_of(application)

    def argocd_of(self, application: Application) -> ArgoCd:
        """The Argo CD of an Application."""
        with self._lock:
            return self._applications.argocd_of(application)

    def homes(self) -> set[str]:
        """The namespaces that the Argo CDs run in which the Applications belong to."""
        with self._lock:
            return self._applications.homes()

    def tracked_by(self, application: Application) -> list[Workload]:
        """The workloads that belong to an Application, sorted by key."""
        with self._lock:
            candidates = (self.workload(key) for key in sorted(self._applications.candidates(application)))
            return [w for w in candidates if w is not None and self._applications.owns(application, w)]

    def demand(self, backup: ImageBackup) -> Demand:
        """Who asks for an ImageBackup now."""
        name = self._policy.naming.backup(backup.image)
        with self._lock:
            everybody = sorted(self._users[backup.image])
            in_scope = {key: self._in_scope(key) for key in everybody}
            namers = [key for key in everybody if in_scope[key]]
            running: dict[str, list[WorkloadKey]] = {}
            for key in namers:
                # a pod of an older template may run another image in the same container
                written = self._written_as(key, backup.image)
                for place, digests in self.running(key).items():
                    for digest in digests if place in written else ():
                        running.setdefault(digest, []).append(key)
            return Demand(
                sources=tuple(namers),
                backups=tuple(sorted(self._users[name])),
                ignored=tuple(key for key in everybody if not in_scope[key]),
                running={d: tuple(dict.fromkeys(keys)) for d, keys in sorted(running.items())[:MOST_DIGESTS]},
            )

    def hidden(self, application: Application, key: WorkloadKey, container: str) -> Unheeded | None:
        """What hides a difference in a container's image when an Application is compared; else None."""
        with self._lock:
            workload = self.workload(key)
            if workload is None:
                return None
            images = [each for each in workload.containers if each.name == container]
            ignored = chain(application.ignored, self.argocd_of(application).ignored, ignored_on(workload))
            return next((u for u in ignored if any(u.covers(key, image) for image in images)), None)

    # -- within -------------------------------------------------------------------------------------------

    def _written_as(self, key: WorkloadKey, image: Reference) -> set[tuple[str, str]]:
        """The containers of a workload that name an image, with the text that they name it by."""
        entry = self._entries[key]
        names = {container for container, reference in entry.images if reference == image}
        containers = entry.workload.containers if entry.workload is not None else ()
        return {(c.name, c.image) for c in containers if c.name in names}

    def _in_scope(self, key: WorkloadKey) -> bool:
        workload = self._entries[key].workload
        return workload is not None and out_of_scope(workload, self.namespaces, self._policy) is None

    def _look(self, workload: Workload, images: tuple[tuple[str, Reference], ...]) -> None:
        for container, image in images:
            name = self._backups.name_for(image)
            found = self._backups.recorded(name) if name is not None else None
            if found is not None and found.well_named:
                self._journal.look(
                    found,
                    workload,
                    container=container,
                    names_backup=image == self._policy.naming.backup(found.image),
                    recorded=found.rewrite(workload.key, container),
                )

    def _look_at_users(self, backup: ImageBackup, users: Iterable[WorkloadKey]) -> None:
        name = self._policy.naming.backup(backup.image)
        recorded = {rewrite.key: rewrite for rewrite in backup.status.rewrites}
        for key in users:
            entry = self._entries[key]
            for container, image in entry.images:
                if entry.workload is not None and image in (backup.image, name):
                    self._journal.look(
                        backup,
                        entry.workload,
                        container=container,
                        names_backup=image == name,
                        recorded=recorded.get((str(key), container)),
                    )

    def _names(self, images: Iterable[Reference]) -> Iterable[str]:
        for image in images:
            name = self._backups.name_for(image)
            if name is not None:
                yield name

    def _users_of(self, backup: ImageBackup) -> AbstractSet[WorkloadKey]:
        return self._users[backup.image] | self._users[self._policy.naming.backup(backup.image)]

    def _drop_if_empty(self, key: WorkloadKey, entry: _Entry) -> None:
        if entry.workload is None and not entry.pods:
            self._entries.pop(key, None)


def _decisive(backup: ImageBackup | None) -> object:
    """What of an ImageBackup decisions about workloads rest on; the rest changes often, and wakes nobody."""
    if backup is None:
        return None
    status = backup.status
    undone = tuple((r.key, r.state, r.was_healthy, r.reversals) for r in status.rewrites if r.reversals)
    return (
        backup.image,
        backup.deleting,
        backup.verified,
        backup.settled,
        backup.failure(),
        status.backup,
        status.digest,
        status.manifests,
        undone,
    )


def _older(backup: ImageBackup, known: ImageBackup) -> bool:
    """Whether one version of an object is older than another, as far as the API server lets that be seen.

    Kubernetes documentation, "API Concepts", "Resource versions": of the same kind, they compare as integers.
    """
    versions = backup.resource_version, known.resource_version
    if backup.uid != known.uid or not all(version.isdecimal() for version in versions):
        return False
    return int(versions[0]) < int(versions[1])


def _images(workload: Workload) -> tuple[tuple[str, Reference], ...]:
    found = []
    for container in workload.containers:
        try:
            found.append((container.name, Reference.parse(container.image)))
        except InvalidReference:
            continue
    return tuple(found)
