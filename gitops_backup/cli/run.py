"""`gitops-backup run`: the controller, in a cluster or from a shell."""

import os
import random
import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import click
import structlog
from prometheus_client import start_http_server

from gitops_backup.cli.context import Globals
from gitops_backup.cli.options import ALL, settings_options
from gitops_backup.cli.probes import serve_probes
from gitops_backup.cli.wiring import (
    Feed,
    open_git,
    open_registries,
    permissions,
    project_namespace,
)
from gitops_backup.cluster.access import missing_permissions
from gitops_backup.cluster.announcer import Announcer
from gitops_backup.cluster.connection import Connection, connect
from gitops_backup.cluster.discovery import serves
from gitops_backup.cluster.events import EventRecorder
from gitops_backup.cluster.lease import LeaderElection
from gitops_backup.cluster.reflector import Reflector
from gitops_backup.cluster.resources import (
    APPLICATIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    IMAGE_BACKUPS,
    NAMESPACES,
    PODS,
)
from gitops_backup.cluster.writer import ClusterWriter
from gitops_backup.controller.backups import BackupReconciler
from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.journal import Journal
from gitops_backup.controller.manager import Manager, Queues
from gitops_backup.controller.repositories import RepositoryReconciler
from gitops_backup.controller.targets import management
from gitops_backup.controller.worker import Workers
from gitops_backup.controller.workloads import WorkloadReconciler
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.policy import Mode, Policy
from gitops_backup.domain.workloads import Kind
from gitops_backup.errors import GitopsBackupError, UsageError
from gitops_backup.metrics import Metrics
from gitops_backup.settings import Settings
from gitops_backup.sources.applications import Application

_LEASE = "gitops-backup"
_WORKLOAD_WORKERS = 8
_REPOSITORY_WORKERS = 2


@click.command()
@settings_options(*ALL)
@click.pass_obj
def run(options: Globals, /, **flags: Any) -> None:
    """Run the controller until it is told to stop (SIGTERM, Ctrl-C)."""
    options.configure_process()
    settings = options.settings(flags)
    if settings.mode is None:
        raise UsageError(
            "no mode is chosen", hint="--mode report writes nothing; gitops commits; direct patches"
        )
    policy = settings.policy(mode=settings.mode)
    connection = connect(kubeconfig=options.kubeconfig, context=options.context)
    has_applications = serves(connection, APPLICATIONS)
    _check(connection, policy, applications=has_applications)
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    with ExitStack() as stack:
        ended = _controller(stack, connection, settings, policy, stop)
    sys.stdout.flush()
    if not ended:
        # a worker hangs in something that cannot be interrupted; whatever it was is done again next time
        os._exit(0)


def _check(connection: Connection, policy: Policy, *, applications: bool) -> None:
    if not serves(connection, IMAGE_BACKUPS):
        raise UsageError(
            f"the API server at {connection.url} does not know ImageBackups",
            hint="kubectl apply -f crds/k8slab.io_imagebackups.yaml",
        )
    missing = missing_permissions(connection, permissions(policy, applications=applications))
    if missing:
        what = "; ".join(str(permission) for permission in missing)
        raise UsageError(f"these credentials may not {what}", hint="see argocd/ for the rights of each mode")


def _controller(
    stack: ExitStack, connection: Connection, settings: Settings, policy: Policy, stop: threading.Event
) -> bool:
    log = structlog.get_logger()
    cancel, following = threading.Event(), threading.Event()
    stack.callback(following.set)
    metrics = Metrics()
    journal = Journal(_now, on_reversal=metrics.reversals.inc)
    inventory = Inventory(policy, journal, manage=management)
    queues = Queues(time.monotonic)
    writes = policy.mode != Mode.REPORT
    identity = f"{socket.gethostname()}-{uuid4().hex[:8]}"

    def failed(error: GitopsBackupError) -> None:
        log.warning("the API server did not do as asked", error=str(error))

    feed = Feed(inventory, policy, queues.wake if writes else lambda concerned: None)
    workers: list[Any] = []
    if writes:
        registries = stack.enter_context(open_registries(settings, policy, cancel))
        git = stack.enter_context(open_git(settings, cancel))
        recorder = EventRecorder(connection, component="gitops-backup", instance=identity, on_failure=failed)
        announcer = Announcer(recorder)
        announcer.start()
        stack.callback(announcer.stop, 1.0)
        writer = ClusterWriter(connection, namespace=policy.backup_namespace)
        backups = BackupReconciler(
            inventory=inventory,
            journal=journal,
            registries=registries,
            writer=writer,
            announcer=announcer,
            policy=policy,
            expiry=timedelta(seconds=settings.expiry),
            metrics=metrics,
            now=_now,
            clock=time.monotonic,
            random=random.random,
        )

        def suspect(name: str) -> None:
            backups.suspect(name)
            queues.backups.add(name)

        workloads = WorkloadReconciler(
            inventory=inventory,
            journal=journal,
            cluster=writer,
            registry=registries,
            announcer=announcer,
            policy=policy,
            metrics=metrics,
            hand_on=queues.repositories.add,
            suspect=suspect,
            now=_now,
        )
        repositories = RepositoryReconciler(
            inventory=inventory,
            journal=journal,
            record=backups.record,
            git=git,
            refresher=writer,
            registry=registries,
            announcer=announcer,
            policy=policy,
            metrics=metrics,
            hand_on=queues.repositories.add,
            suspect=suspect,
            now=_now,
        )
        workers = [
            Workers(
                "workload",
                queue=queues.workloads,
                reconcile=workloads.reconcile,
                count=_WORKLOAD_WORKERS,
                metrics=metrics,
                random=random.random,
            ),
            Workers(
                "backup",
                queue=queues.backups,
                reconcile=backups.reconcile,
                count=settings.copies,
                metrics=metrics,
                random=random.random,
            ),
            Workers(
                "repository",
                queue=queues.repositories,
                reconcile=repositories.reconcile,
                count=_REPOSITORY_WORKERS,
                metrics=metrics,
                random=random.random,
            ),
        ]
    for name, queue in (
        ("workloads", queues.workloads),
        ("backups", queues.backups),
        ("repositories", queues.repositories),
    ):
        metrics.watch_queue(name, queue.__len__)

    def end_now(why: str) -> None:
        log.error("this replica ends", why=why)
        os._exit(1)

    manager = Manager(
        watches=_watches(connection, feed, policy, following, failed),
        queues=queues,
        workers=workers,
        inventory=inventory,
        policy=policy,
        election=LeaderElection(
            connection,
            namespace=policy.backup_namespace,
            name=_LEASE,
            identity=identity,
            on_failure=failed,
        )
        if writes
        else None,
        cancel=cancel,
        resync=settings.resync,
        on_leading=metrics.leading.set,
        end_now=end_now,
    )
    metrics.watch_images(manager.tally)
    probes = stack.enter_context(
        serve_probes(settings.listen, settings.probes_port, ready=lambda: manager.ready)
    )
    try:
        server, _ = start_http_server(settings.metrics_port, addr=settings.listen, registry=metrics.registry)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {settings.listen}:{settings.metrics_port}: {error.strerror}"
        ) from error
    stack.callback(server.shutdown)
    log.info("started", mode=policy.mode, probes=probes, metrics=server.server_port, identity=identity)
    return manager.run(stop)


def _watches(
    connection: Connection,
    feed: Feed,
    policy: Policy,
    stop: threading.Event,
    failed: Any,
) -> list[Reflector[Any]]:
    watches: list[Reflector[Any]] = []
    for kind, resource in ((Kind.DEPLOYMENT, DEPLOYMENTS), (Kind.DAEMON_SET, DAEMON_SETS)):
        project, put = feed.workload(kind)
        watches.append(
            Reflector(connection, resource, project=project, on_change=put, stop=stop, on_failure=failed)
        )
    others: list[tuple[Any, Any, Any, str | None]] = [
        (NAMESPACES, project_namespace, feed.put_namespace, None),
        (APPLICATIONS, Application.project, feed.put_application, None),
        (PODS, feed.project_pod, feed.put_pod, None),
        (IMAGE_BACKUPS, ImageBackup.project, feed.put_backup, policy.backup_namespace),
    ]
    watches += [
        Reflector(
            connection,
            resource,
            project=project,
            on_change=put,
            stop=stop,
            namespace=namespace,
            on_failure=failed,
        )
        for resource, project, put, namespace in others
    ]
    return watches


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
