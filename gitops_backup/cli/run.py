"""`gitops-backup run`: the controller, in a cluster or from a shell."""

import os
import sys
import threading
from contextlib import ExitStack
from typing import Any

import click
import structlog
from prometheus_client import start_http_server

from gitops_backup.cli.assembly import Assembly
from gitops_backup.cli.context import Globals
from gitops_backup.cli.options import ALL, OTHER_WAYS, settings_options
from gitops_backup.cli.probes import serve_probes
from gitops_backup.cli.signals import exit_when_told, stop_when_told
from gitops_backup.cli.wiring import argocd_permissions, connect_argocd, open_signing, permissions
from gitops_backup.cluster.access import missing_permissions
from gitops_backup.cluster.connection import Connection, connect
from gitops_backup.cluster.discovery import serves
from gitops_backup.cluster.errors import Forbidden, NotFound
from gitops_backup.cluster.resources import APPLICATIONS, IMAGE_BACKUPS, NAMESPACES
from gitops_backup.domain.policy import Mode, Policy
from gitops_backup.errors import UsageError
from gitops_backup.settings import Settings


@click.command(epilog=OTHER_WAYS)
@settings_options(*ALL)
@click.pass_obj
def run(options: Globals, /, **flags: Any) -> None:
    """Run the controller until it is told to stop (SIGTERM, Ctrl-C)."""
    stop = threading.Event()
    exit_when_told()
    options.configure_process()
    settings = options.settings(flags)
    if settings.mode is None:
        raise UsageError(
            "no mode is chosen", hint="--mode report writes nothing; gitops commits; direct patches"
        )
    connection = connect(kubeconfig=options.kubeconfig, context=options.context)
    with ExitStack() as stack:
        signer = stack.enter_context(open_signing(settings))
        policy = settings.policy(mode=settings.mode, signing_keys=signer.key_ids if signer else ())
        argocd = connect_argocd(settings)
        _check(connection, policy, argocd=argocd)
        stop_when_told(stop)
        assembly = Assembly(connection, settings, policy, stack, argocd=argocd, signer=signer)
        ended = _serve(stack, assembly, settings, stop)
    sys.stdout.flush()
    if not ended:
        # a worker hangs in something that cannot be interrupted; whatever it was is done again next time
        os._exit(0)


def _check(connection: Connection, policy: Policy, *, argocd: Connection | None) -> None:
    if not serves(connection, IMAGE_BACKUPS):
        raise UsageError(
            f"the API server at {connection.url} does not know ImageBackups",
            hint="make install, or kubectl apply -k crds, teaches it",
        )
    applications = argocd is None and serves(connection, APPLICATIONS)
    missing = missing_permissions(connection, permissions(policy, applications=applications))
    if argocd is not None:
        missing += missing_permissions(argocd, argocd_permissions(policy))
    if missing:
        what = "; ".join(str(permission) for permission in missing)
        raise UsageError(f"these credentials may not {what}", hint="see argocd/ for the rights of each mode")
    if policy.mode != Mode.REPORT:
        _check_namespace(connection, policy.backup_namespace)


def _check_namespace(connection: Connection, name: str) -> None:
    try:
        connection.get(NAMESPACES.path(name=name))
    except NotFound as error:
        raise UsageError(
            f"there is no namespace {name} for the ImageBackups", hint=f"kubectl create namespace {name}"
        ) from error
    except Forbidden:
        pass  # inside a pod it is the pod's own


def _serve(stack: ExitStack, assembly: Assembly, settings: Settings, stop: threading.Event) -> bool:
    manager = assembly.manager()
    assembly.metrics.watch_images(manager.tally)
    probes = serve_probes(settings.listen, settings.probes_port, ready=lambda: manager.ready)
    probes_port = stack.enter_context(probes)
    try:
        server, _ = start_http_server(
            settings.metrics_port, addr=settings.listen, registry=assembly.metrics.registry
        )
    except OSError as error:
        where = f"{settings.listen}:{settings.metrics_port}"
        raise UsageError(f"cannot listen on {where}: {error.strerror}") from error
    stack.callback(server.shutdown)
    structlog.get_logger().info(
        "started",
        mode=assembly.policy.mode,
        probes=probes_port,
        metrics=server.server_port,
        identity=assembly.identity,
    )
    return manager.run(stop)
