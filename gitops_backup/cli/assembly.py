"""The controller, put together from its parts."""

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import structlog

from gitops_backup.cli.downloading import download_credentials, open_downloads
from gitops_backup.cli.fleet import listed_clusters
from gitops_backup.cli.forges import ConfiguredForges, renew_git
from gitops_backup.cli.renewal import Renewable, Renewal
from gitops_backup.cli.wiring import Feed, open_git, open_registries, open_renderer
from gitops_backup.cluster.announcer import Announcer
from gitops_backup.cluster.argocd import ArgoCdReader, ArgoCdWatch
from gitops_backup.cluster.connection import Connection, Json
from gitops_backup.cluster.events import EventRecorder
from gitops_backup.cluster.lease import LeaderElection
from gitops_backup.cluster.reflector import Reflector
from gitops_backup.cluster.resources import (
    APP_PROJECTS,
    APPLICATIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    IMAGE_BACKUPS,
    NAMESPACES,
    PODS,
)
from gitops_backup.cluster.writer import ClusterWriter, directive_of
from gitops_backup.controller.backups import BackupReconciler
from gitops_backup.controller.elsewhere import Elsewhere
from gitops_backup.controller.inventory import Concerned, Inventory
from gitops_backup.controller.journal import Journal
from gitops_backup.controller.manager import Manager, Queues, Watch
from gitops_backup.controller.queue import WorkQueue
from gitops_backup.controller.repositories import RepositoryReconciler
from gitops_backup.controller.targets import management
from gitops_backup.controller.worker import Reconcile, Workers
from gitops_backup.controller.workloads import WorkloadReconciler
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.planning import Target
from gitops_backup.domain.policy import Mode, Policy
from gitops_backup.domain.workloads import Kind
from gitops_backup.downloads.credentials import DownloadCredentials
from gitops_backup.errors import GitopsBackupError
from gitops_backup.git.signing import Signer
from gitops_backup.git.store import GitStore
from gitops_backup.metrics import Metrics
from gitops_backup.registry.registries import Registries
from gitops_backup.settings import Settings
from gitops_backup.sources.projects import Project

_COMPONENT = "gitops-backup"
_OF_ARGOCD = (APPLICATIONS, APP_PROJECTS)
_WORKLOAD_WORKERS = 8
_REPOSITORY_WORKERS = 2


class Assembly:
    """The parts of one replica; what has to be closed at the end is put on `stack`.

    `argocd` leads to the API server that has the Applications, where it is another one.

    Raises `UsageError` for what is wrong in the settings, or with skopeo or git.
    """

    def __init__(
        self,
        connection: Connection,
        settings: Settings,
        policy: Policy,
        stack: ExitStack,
        *,
        argocd: Connection | None,
        signer: Signer | None,
    ) -> None:
        self.policy = policy
        self.metrics = Metrics()
        self.identity = f"{socket.gethostname()}-{uuid4().hex[:8]}"
        self._connection = connection
        self._settings = settings
        self._argocd = argocd or connection
        self._signer = signer
        self._stack = stack
        self._log = structlog.get_logger()
        self._cancel = threading.Event()
        self._stop_watching = threading.Event()
        self._leading = threading.Event()
        stack.callback(self._stop_watching.set)
        self._journal = Journal(_now, on_reversal=self.metrics.reversals.inc)
        manage = partial(management, signing_keys=policy.signing_keys)
        self._inventory = Inventory(policy, self._journal, manage=manage)
        self._queues = Queues(time.monotonic)
        self._standing: Callable[[], Iterable[Target]] = lambda: ()

    def manager(self) -> Manager:
        """The one that starts and stops everything."""
        writes = self.policy.mode != Mode.REPORT
        return Manager(
            watches=self._watches(),
            queues=self._queues,
            workers=self._workers() if writes else [],
            inventory=self._inventory,
            policy=self.policy,
            election=self._election() if writes else None,
            cancel=self._cancel,
            resync=self._settings.resync,
            standing=lambda: self._standing(),
            on_leading=self._lead,
            end_now=self._end_now,
        )

    def _workers(self) -> list[Workers[Any]]:
        queues = self._queues
        registries = self._stack.enter_context(
            open_registries(
                self._settings, self.policy, self._cancel, call=partial(queues.backups.add, first=True)
            )
        )
        git = self._stack.enter_context(open_git(self._settings, self._cancel, signer=self._signer))
        forges = ConfiguredForges(self._settings)
        for_downloads = download_credentials(self._settings)
        downloads = self._stack.enter_context(open_downloads(self._settings, for_downloads))
        renderer = self._stack.enter_context(open_renderer(self._settings, self._cancel))
        writer = ClusterWriter(self._connection, namespace=self.policy.backup_namespace, argocd=self._argocd)
        shared: dict[str, Any] = {
            "inventory": self._inventory,
            "journal": self._journal,
            "announcer": self._announcer(),
            "policy": self.policy,
            "metrics": self.metrics,
            "now": _now,
            "clock": time.monotonic,
            "random": random.random,
        }
        backups = BackupReconciler(
            registries=registries,
            writer=writer,
            wake=queues.wake,
            expiry=timedelta(seconds=self._settings.expiry),
            **shared,
        )

        self._renew(registries, git, backups, for_downloads, forges)

        def suspect(name: str) -> None:
            backups.suspect(name)
            queues.backups.add(name)

        passing_on: dict[str, Any] = {
            "registry": registries,
            "hand_on": queues.repositories.add,
            "suspect": suspect,
        }
        workloads = WorkloadReconciler(cluster=writer, **passing_on, **shared)
        repositories = RepositoryReconciler(
            git=git,
            elsewhere=Elsewhere(git, downloads),
            renderer=renderer,
            clusters=listed_clusters(self._settings),
            cluster=writer,
            record=backups.record,
            forges=forges,
            pull_request_branch=self._settings.pull_request_branch,
            **passing_on,
            **shared,
        )
        self._standing = repositories.proposing
        return [
            self._crew("workloads", queues.workloads, workloads.reconcile, _WORKLOAD_WORKERS),
            self._crew("backups", queues.backups, backups.reconcile, self._settings.copies),
            self._crew("repositories", queues.repositories, repositories.reconcile, _REPOSITORY_WORKERS),
        ]

    def _renew(
        self,
        registries: Registries,
        git: GitStore,
        backups: BackupReconciler,
        for_downloads: DownloadCredentials,
        forges: ConfiguredForges,
    ) -> None:
        renewal = Renewal(
            [
                Renewable("registries", registries.renew_credentials, on_change=backups.credentials_changed),
                Renewable("git", lambda: renew_git(git, self._settings, forges)),
                Renewable("downloads", for_downloads.renew),
            ]
        )
        renewal.renew()
        renewal.start()
        self._stack.callback(renewal.stop)

    def _crew(self, name: str, queue: WorkQueue[Any], reconcile: Reconcile[Any], count: int) -> Workers[Any]:
        self.metrics.watch_queue(name, queue.__len__)
        return Workers(
            name,
            queue=queue,
            reconcile=reconcile,
            count=count,
            metrics=self.metrics,
            random=random.random,
        )

    def _announcer(self) -> Announcer:
        recorder = EventRecorder(
            self._connection, component=_COMPONENT, instance=self.identity, on_failure=self._failed
        )
        announcer = Announcer(recorder)
        announcer.start()
        self._stack.callback(announcer.stop, 1.0)
        return announcer

    def _election(self) -> LeaderElection:
        return LeaderElection(
            self._connection,
            namespace=self.policy.backup_namespace,
            name=_COMPONENT,
            identity=self.identity,
            on_failure=self._failed,
        )

    def _watches(self) -> list[Watch]:
        feed = Feed(self._inventory, self.policy, self._wake)
        watched: list[tuple[Any, Any, Any, str | None]] = [
            (DEPLOYMENTS, *feed.workload(Kind.DEPLOYMENT), None),
            (DAEMON_SETS, *feed.workload(Kind.DAEMON_SET), None),
            (NAMESPACES, directive_of, feed.put_namespace, None),
            (APP_PROJECTS, Project.project, feed.put_project, None),
            (APPLICATIONS, feed.project_application, feed.put_application, None),
            (PODS, feed.project_pod, feed.put_pod, None),
            (IMAGE_BACKUPS, ImageBackup.project, feed.put_backup, self.policy.backup_namespace),
        ]
        reflectors = {
            resource: Reflector(
                self._argocd if resource in _OF_ARGOCD else self._connection,
                resource,
                project=self._guarded(project),
                on_change=put,
                stop=self._stop_watching,
                namespace=namespace,
                on_failure=self._failed,
            )
            for resource, project, put, namespace in watched
        }
        reader = ArgoCdReader(self._argocd, homes=feed.homes, put=feed.put_argocd, on_default=self._assumed)
        settings = ArgoCdWatch(
            reader,
            after=reflectors[APPLICATIONS].synced,
            stop=self._stop_watching,
            on_failure=self._failed,
        )
        return [*reflectors.values(), settings]

    def _guarded(self, project: Callable[[Json], Any]) -> Callable[[Json], Any]:
        """A projection for which an object that cannot be read is as good as absent: it stops no other."""

        def guarded(obj: Json) -> Any:
            try:
                return project(obj)
            except Exception:
                self._log.exception("an object cannot be read", name=obj.get("metadata", {}).get("name"))
                return None

        return guarded

    def _lead(self, leading: bool) -> None:
        self.metrics.leading.set(leading)
        if leading:
            self._leading.set()

    def _wake(self, concerned: Concerned) -> None:
        # nobody empties the queues of a replica that does not lead; everything is due when it does
        if self._leading.is_set():
            self._queues.wake(concerned)

    def _failed(self, error: GitopsBackupError) -> None:
        self._log.warning("the API server did not do as asked", error=str(error))

    def _assumed(self, namespace: str, why: GitopsBackupError) -> None:
        self._log.warning(
            "Argo CD's settings cannot be read, its defaults are assumed", namespace=namespace, why=str(why)
        )

    def _end_now(self, why: str) -> None:
        self._log.error("this replica ends", why=why)
        os._exit(1)


def _now() -> datetime:
    """The time as objects hold it: UTC, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
