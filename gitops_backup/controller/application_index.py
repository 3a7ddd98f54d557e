"""The Applications that are known, their projects and their Argo CDs, and which workload is whose."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from gitops_backup.controller.multimap import Multimap
from gitops_backup.domain.planning import Management
from gitops_backup.domain.workloads import Workload, WorkloadKey
from gitops_backup.sources.applications import Application, Declarer, owner_of
from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.differences import ignored_on
from gitops_backup.sources.places import has_manifests, says_something
from gitops_backup.sources.projects import Project

ObjectKey = tuple[str, str]
"""A namespace and a name."""

_BY_DEFAULT = ArgoCd()


class Manage(Protocol):
    """Tells from an Application, its project and its Argo CD what they mean for a workload."""

    def __call__(self, application: Application, project: Project | None, /, *, argocd: ArgoCd) -> Management:
        """What they mean."""


class ApplicationIndex:
    """All Applications; for one thread at a time. What changes tells the workloads that it concerns."""

    def __init__(self, manage: Manage) -> None:
        self._manage = manage
        self._known: dict[ObjectKey, tuple[Application, Management]] = {}
        self._projects: dict[ObjectKey, Project] = {}
        self._argocds: dict[str, ArgoCd] = {}
        self._trackings = {_BY_DEFAULT.tracking}
        self._parents: Multimap[ObjectKey, ObjectKey] = Multimap()
        self._parents_of_sets: Multimap[ObjectKey, ObjectKey] = Multimap()
        self._listed: Multimap[WorkloadKey, ObjectKey] = Multimap()
        self._instances: Multimap[str, ObjectKey] = Multimap()
        self._claims: Multimap[str, WorkloadKey] = Multimap()

    def put(self, key: ObjectKey, application: Application | None) -> set[WorkloadKey]:
        """An Application is as given now, or gone."""
        old = self.get(key)
        concerned: set[WorkloadKey] = set()
        if old is not None:
            del self._known[key]
            concerned |= self.candidates(old)
            self._instances.discard(old.instance, key)
            for workload in old.workloads:
                self._listed.discard(workload, key)
            for child in old.children:
                self._parents.discard(child, key)
            for each in old.sets:
                self._parents_of_sets.discard(each, key)
        if application is not None:
            self._known[key] = application, self._managed(application)
            concerned |= self.candidates(application)
            self._instances.add(application.instance, key)
            for workload in application.workloads:
                self._listed.add(workload, key)
            for child in application.children:
                self._parents.add(child, key)
            for each in application.sets:
                self._parents_of_sets.add(each, key)
        return concerned | self._of_children(old, application)

    def put_project(self, key: ObjectKey, project: Project | None) -> set[WorkloadKey]:
        """An AppProject is as given now, or gone."""
        if project is not None:
            self._projects[key] = project
        else:
            self._projects.pop(key, None)
        concerned: set[WorkloadKey] = set()
        for name, (application, _) in self._known.items():
            if (application.home, application.app_project) == key:
                self._known[name] = application, self._managed(application)
                concerned |= self.candidates(application)
        return concerned

    def put_argocd(self, home: str, argocd: ArgoCd) -> bool:
        """The settings of the Argo CD in the namespace `home` are as given now; whether they were others.

        Then what workloads claim is forgotten, and each of them has to be put once more.
        """
        if argocd == self._argocds.get(home, _BY_DEFAULT):
            return False
        self._argocds[home] = argocd
        self._trackings = {each.tracking for each in (_BY_DEFAULT, *self._argocds.values())}
        self._claims.clear()
        for name, (application, _) in self._known.items():
            if application.home == home:
                self._known[name] = application, self._managed(application)
        return True

    def put_workload(self, key: WorkloadKey, before: Workload | None, workload: Workload | None) -> None:
        """A workload is as given now, and was as given before."""
        claimed, claims = self._claimed(before), self._claimed(workload)
        for instance in claimed - claims:
            self._claims.discard(instance, key)
        for instance in claims - claimed:
            self._claims.add(instance, key)

    def get(self, key: ObjectKey) -> Application | None:
        """One Application, as it was put."""
        known = self._known.get(key)
        return known[0] if known is not None else None

    def everyone(self) -> list[Application]:
        """All Applications with their declarers, sorted by key."""
        known = sorted(self._known.items(), key=lambda e: e[0])
        return [self._with_declarers(application) for _, (application, _) in known]

    def project_of(self, application: Application) -> Project | None:
        """The project of an Application, where it is known."""
        return self._projects.get((application.home, application.app_project))

    def argocd_of(self, application: Application) -> ArgoCd:
        """The Argo CD of an Application."""
        return self._argocds.get(application.home, _BY_DEFAULT)

    def homes(self) -> set[str]:
        """The namespaces that the Argo CDs run in which the Applications belong to."""
        return {application.home for application, _ in self._known.values()}

    def candidates(self, application: Application) -> set[WorkloadKey]:
        """The workloads that an Application lists, and those that say that they are its own."""
        return {*application.workloads, *self._claims[application.instance]}

    def owns(self, application: Application, workload: Workload) -> bool:
        """Whether a workload belongs to an Application."""
        return self._owner(workload) == _key(application)

    def management(self, workload: Workload) -> Management | None:
        """What the Application of a workload means for it; None where it has none."""
        key = self._owner(workload)
        if key is None:
            return None
        application, management = self._known[key]
        declared = self._with_declarers(application)
        if declared is not application:
            management = self._managed(declared)
        if not workload.ignoring or not application.keeps_ignored:
            return management
        return replace(management, unheeded=(*management.unheeded, *ignored_on(workload)))

    def _managed(self, application: Application) -> Management:
        return self._manage(application, self.project_of(application), argocd=self.argocd_of(application))

    def _owner(self, workload: Workload) -> ObjectKey | None:
        candidates = set(self._listed[workload.key])
        for instance in self._claimed(workload):
            candidates |= self._instances[instance]
        known = (self._known[key][0] for key in candidates)
        owner = owner_of(workload, known, tracking=lambda application: self.argocd_of(application).tracking)
        return _key(owner) if owner is not None else None

    def _claimed(self, workload: Workload | None) -> set[str]:
        """The instances of Applications that a workload may name, as one Argo CD or another reads it."""
        return {each.instance(workload) for each in self._trackings} - {""} if workload is not None else set()

    def _with_declarers(self, application: Application) -> Application:
        """The Application with the sources of others that may have its manifest, or its set's."""
        if not any(says_something(application, source) for source in application.sources):
            return application
        return replace(application, declarers=(*application.declarers, *self._declarers(application)))

    def _declarers(self, application: Application) -> Iterator[Declarer]:
        keys = self._parents[_key(application)] | self._instances[application.tracker]
        if application.generator:
            keys = self._parents_of_sets[application.namespace, application.generator]
        for parent in (self._known[key][0] for key in sorted(keys)):
            if parent.at_home:
                sources = filter(has_manifests, parent.sources)
                yield from (Declarer(parent.specified(), source) for source in sources)

    def _of_children(self, old: Application | None, new: Application | None) -> set[WorkloadKey]:
        """The workloads of the Applications that one deploys, where it deploys them otherwise now."""
        if old is not None and new is not None and (old.children, old.sources) == (new.children, new.sources):
            return set()
        children = {child for each in (old, new) if each is not None for child in each.children}
        known = (self._known[child][0] for child in children if child in self._known)
        return {workload for child in known for workload in self.candidates(child)}


def _key(application: Application) -> ObjectKey:
    return application.namespace, application.name
