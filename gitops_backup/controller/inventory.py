"""What is in the cluster, as far as decisions need it: projections, and the indexes between them.

It is filled by watches, or once from lists for a dry run. Each change answers whom it concerns, so that the
queues need not know why.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Protocol, TypeVar

from gitops_backup.controller.backup_index import BackupIndex
from gitops_backup.controller.journal import Journal
from gitops_backup.domain.backups import MOST_DIGESTS, ImageBackup
from gitops_backup.domain.demand import Demand
from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.planning import Management
from gitops_backup.domain.policy import Namespaces, Policy, out_of_scope
from gitops_backup.domain.unheeded import Unheeded
from gitops_backup.domain.workloads import Pod, Workload, WorkloadKey
from gitops_backup.sources.applications import Application, Declarer, owner_of
from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.differences import ignored_on
from gitops_backup.sources.places import has_manifests, says_something
from gitops_backup.sources.projects import Project

K = TypeVar("K")
V = TypeVar("V")

ObjectKey = tuple[str, str]
"""A namespace and a name."""

_BY_DEFAULT = ArgoCd()


class Manage(Protocol):
    """Tells from an Application, its project and its Argo CD what they mean for a workload."""

    def __call__(self, application: Application, project: Project | None, /, *, argocd: ArgoCd) -> Management:
        """What they mean."""


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
        self._manage = manage
        self._lock = threading.RLock()
        self._entries: dict[WorkloadKey, _Entry] = {}
        self._pod_owners: dict[ObjectKey, WorkloadKey] = {}
        self._users: dict[Reference, set[WorkloadKey]] = {}
        self._directives: dict[str, str] = {}
        self._index = BackupIndex(policy, journal)
        self._applications: dict[ObjectKey, tuple[Application, Management]] = {}
        self._parents: dict[ObjectKey, set[ObjectKey]] = {}
        self._parents_of_sets: dict[ObjectKey, set[ObjectKey]] = {}
        self._projects: dict[ObjectKey, Project] = {}
        self._listed: dict[WorkloadKey, set[ObjectKey]] = {}
        self._instances: dict[str, set[ObjectKey]] = {}
        self._claims: dict[str, set[WorkloadKey]] = {}
        self._argocds: dict[str, ArgoCd] = {}
        self._trackings = {_BY_DEFAULT.tracking}

    # -- changes ------------------------------------------------------------------------------------------

    def put_workload(self, key: WorkloadKey, workload: Workload | None) -> Concerned:
        """A workload is as given now, or gone."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            if workload is not None and workload.same_as(entry.workload):
                entry.workload = workload
                return Concerned()
            before, claimed = {image for _, image in entry.images}, self._claimed(entry.workload)
            entry.workload = workload
            entry.images = _images(workload) if workload is not None else ()
            after = {image for _, image in entry.images}
            for image in before - after:
                _discard(self._users, image, key)
            for image in after - before:
                self._users.setdefault(image, set()).add(key)
            claims = self._claimed(workload)
            for instance in claimed - claims:
                _discard(self._claims, instance, key)
            for instance in claims - claimed:
                self._claims.setdefault(instance, set()).add(key)
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
            old = self._index.recorded(name)
            if old is not None and backup is not None and _older(backup, old):
                return Concerned()  # the watch is behind what was written here
            self._index.put(name, backup)
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
            known = self._index.recorded(backup.name)
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
            old = self._applications.pop(key, None)
            concerned: set[WorkloadKey] = set()
            if old is not None:
                concerned |= self._candidates(old[0])
                _discard(self._instances, old[0].instance, key)
                for workload in old[0].workloads:
                    _discard(self._listed, workload, key)
                for child in old[0].children:
                    _discard(self._parents, child, key)
                for each in old[0].sets:
                    _discard(self._parents_of_sets, each, key)
            if application is not None:
                self._applications[key] = application, self._managed(application)
                concerned |= self._candidates(application)
                self._instances.setdefault(application.instance, set()).add(key)
                for workload in application.workloads:
                    self._listed.setdefault(workload, set()).add(key)
                for child in application.children:
                    self._parents.setdefault(child, set()).add(key)
                for each in application.sets:
                    self._parents_of_sets.setdefault(each, set()).add(key)
            concerned |= self._of_children(old[0] if old is not None else None, application)
            return Concerned(frozenset(concerned))

    def put_project(self, key: ObjectKey, project: Project | None) -> Concerned:
        """An AppProject is as given now, or gone."""
        with self._lock:
            if project is not None:
                self._projects[key] = project
            else:
                self._projects.pop(key, None)
            concerned: set[WorkloadKey] = set()
            for name, (application, _) in self._applications.items():
                if (application.home, application.app_project) == key:
                    self._applications[name] = application, self._managed(application)
                    concerned |= self._candidates(application)
            return Concerned(frozenset(concerned))

    def put_argocd(self, home: str, argocd: ArgoCd) -> Concerned:
        """The settings of the Argo CD in the namespace `home` are as given now."""
        with self._lock:
            if argocd == self._argocds.get(home, _BY_DEFAULT):
                return Concerned()
            self._argocds[home] = argocd
            self._trackings = {each.tracking for each in (_BY_DEFAULT, *self._argocds.values())}
            self._claims.clear()
            for key, entry in self._entries.items():
                for instance in self._claimed(entry.workload):
                    self._claims.setdefault(instance, set()).add(key)
            for name, (application, _) in self._applications.items():
                if application.home == home:
                    self._applications[name] = application, self._managed(application)
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
            key = self._owner(workload)
            if key is None:
                return None
            application, management = self._applications[key]
            declared = self._with_declarers(application)
            if declared is not application:
                management = self._managed(declared)
            if not workload.ignoring or not application.keeps_ignored:
                return management
            return replace(management, unheeded=(*management.unheeded, *ignored_on(workload)))

    def of_source(self, source: Reference) -> ImageBackup | None:
        """The ImageBackup whose object has this source's name, whatever source it records."""
        with self._lock:
            return self._index.of_source(source)

    def of_backup(self, backup: Reference) -> ImageBackup | None:
        """The ImageBackup that stands for this backup."""
        with self._lock:
            return self._index.of_backup(backup)

    def know_repository(self, backup: Reference) -> bool:
        """Whether any ImageBackup has a verified backup in this repository."""
        with self._lock:
            return self._index.know_repository(backup)

    # -- more to ask --------------------------------------------------------------------------------------

    def workload(self, key: WorkloadKey) -> Workload | None:
        """One workload."""
        with self._lock:
            entry = self._entries.get(key)
            return entry.workload if entry is not None else None

    def backup(self, name: str) -> ImageBackup | None:
        """One ImageBackup, with the journal's news in it."""
        with self._lock:
            return self._index.get(name)

    def recorded(self, name: str) -> ImageBackup | None:
        """One ImageBackup as it is on record, without news."""
        with self._lock:
            return self._index.recorded(name)

    def backup_names(self) -> list[str]:
        """The names of all ImageBackups, sorted."""
        with self._lock:
            return self._index.names()

    def applications(self) -> list[Application]:
        """All Applications, sorted by key."""
        with self._lock:
            known = sorted(self._applications.items(), key=lambda e: e[0])
            return [self._with_declarers(application) for _, (application, _) in known]

    def application(self, key: ObjectKey) -> Application | None:
        """One Application."""
        with self._lock:
            known = self._applications.get(key)
            return known[0] if known is not None else None

    def project_of(self, application: Application) -> Project | None:
        """The project of an Application, where it is known."""
        with self._lock:
            return self._projects.get((application.home, application.app_project))

    def argocd_of(self, application: Application) -> ArgoCd:
        """The Argo CD of an Application."""
        with self._lock:
            return self._argocds.get(application.home, _BY_DEFAULT)

    def homes(self) -> set[str]:
        """The namespaces that the Argo CDs run in which the Applications belong to."""
        with self._lock:
            return {application.home for application, _ in self._applications.values()}

    def tracked_by(self, application: Application) -> list[Workload]:
        """The workloads that belong to an Application, sorted by key."""
        with self._lock:
            candidates = (self.workload(key) for key in sorted(self._candidates(application)))
            return [w for w in candidates if w is not None and self._owner(w) == _key(application)]

    def demand(self, backup: ImageBackup) -> Demand:
        """Who asks for an ImageBackup now."""
        name = self._policy.naming.backup(backup.image)
        with self._lock:
            everybody = sorted(self._users.get(backup.image, ()))
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
                backups=tuple(sorted(self._users.get(name, ()))),
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

    def _managed(self, application: Application) -> Management:
        return self._manage(application, self.project_of(application), argocd=self.argocd_of(application))

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
            name = self._index.name_for(image)
            found = self._index.recorded(name) if name is not None else None
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

    def _with_declarers(self, application: Application) -> Application:
        """The Application with the sources of others that may have its manifest, or its set's."""
        if not any(says_something(application, source) for source in application.sources):
            return application
        keys = {*self._parents.get(_key(application), ()), *self._instances.get(application.tracker, ())}
        if application.generator:
            its_set = application.namespace, application.generator
            keys = set(self._parents_of_sets.get(its_set, ()))
        parents = (self._applications[key][0] for key in sorted(keys))
        declarers = (
            Declarer(parent.specified(), source)
            for parent in parents
            if parent.at_home
            for source in parent.sources
            if has_manifests(source)
        )
        return replace(application, declarers=(*application.declarers, *declarers))

    def _of_children(self, old: Application | None, new: Application | None) -> set[WorkloadKey]:
        """The workloads of the Applications that one deploys, where it deploys them otherwise now."""
        if old is not None and new is not None and (old.children, old.sources) == (new.children, new.sources):
            return set()
        children = {child for each in (old, new) if each is not None for child in each.children}
        known = (self._applications[child][0] for child in children if child in self._applications)
        return {workload for child in known for workload in self._candidates(child)}

    def _candidates(self, application: Application) -> set[WorkloadKey]:
        """Those that an Application lists, and those that say that they are its own."""
        return {*application.workloads, *self._claims.get(application.instance, ())}

    def _owner(self, workload: Workload) -> ObjectKey | None:
        candidates = set(self._listed.get(workload.key, ()))
        for instance in self._claimed(workload):
            candidates |= self._instances.get(instance, set())
        known = (self._applications[key][0] for key in candidates)
        owner = owner_of(workload, known, tracking=lambda application: self.argocd_of(application).tracking)
        return _key(owner) if owner is not None else None

    def _claimed(self, workload: Workload | None) -> set[str]:
        """The instances of Applications that a workload may name, as one Argo CD or another reads it."""
        return {each.instance(workload) for each in self._trackings} - {""} if workload is not None else set()

    def _names(self, images: Iterable[Reference]) -> Iterable[str]:
        for image in images:
            name = self._index.name_for(image)
            if name is not None:
                yield name

    def _users_of(self, backup: ImageBackup) -> set[WorkloadKey]:
        name = self._policy.naming.backup(backup.image)
        return self._users.get(backup.image, set()) | self._users.get(name, set())

    def _drop_if_empty(self, key: WorkloadKey, entry: _Entry) -> None:
        if entry.workload is None and not entry.pods:
            self._entries.pop(key, None)


def _key(application: Application) -> ObjectKey:
    return application.namespace, application.name


def _discard(index: dict[K, set[V]], key: K, value: V) -> None:
    values = index.get(key, set())
    values.discard(value)
    if not values:
        index.pop(key, None)


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
