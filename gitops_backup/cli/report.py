"""`gitops-backup report`: the dry run, by the very plan that the controller acts on."""

import os
import shutil
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import click

from gitops_backup.cli.context import Globals
from gitops_backup.cli.options import ALL, settings_options
from gitops_backup.cli.wiring import Feed, open_git, project_namespace
from gitops_backup.cluster.connection import Connection, connect
from gitops_backup.cluster.discovery import serves
from gitops_backup.cluster.listing import list_objects
from gitops_backup.cluster.resources import (
    APPLICATIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    IMAGE_BACKUPS,
    NAMESPACES,
    PODS,
)
from gitops_backup.controller import foresight
from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.journal import Journal
from gitops_backup.controller.targets import management
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.planning import Plan, decide
from gitops_backup.domain.policy import Mode, Policy
from gitops_backup.domain.workloads import Kind
from gitops_backup.errors import UsageError
from gitops_backup.report.model import FileReport, Place, Report
from gitops_backup.report.table import render
from gitops_backup.settings import Settings
from gitops_backup.sources.applications import Application

_OPTIONS = tuple(name for name in ALL if name not in {"listen", "probes_port", "metrics_port", "resync"})


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="The form.",
)
@click.option("--diff", is_flag=True, help="Show the exact change of each file or workload.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something is due or blocked.")
@click.option("-n", "--namespace", help="Only workloads in this namespace.")
@click.option("-l", "--selector", help="Only workloads with these labels.")
@settings_options(*_OPTIONS)
@click.pass_obj
def report(
    options: Globals,
    /,
    output: str,
    diff: bool,
    exit_code: bool,
    namespace: str | None,
    selector: str | None,
    **flags: Any,
) -> None:
    """Show what would be copied, committed and patched, and what is blocked and why. Writes nothing."""
    options.configure_process()
    settings = options.settings(flags)
    connection = connect(kubeconfig=options.kubeconfig, context=options.context)
    policy = settings.policy(mode=settings.mode or Mode.REPORT)
    made = _report(connection, settings, policy, namespace=namespace, selector=selector, diff=diff)
    _print(made, output)
    if exit_code and not made.clean:
        sys.exit(1)


def _report(
    connection: Connection,
    settings: Settings,
    policy: Policy,
    *,
    namespace: str | None,
    selector: str | None,
    diff: bool,
) -> Report:
    inventory = snapshot(connection, policy)
    wanted = _selected(connection, namespace, selector)
    plan = Plan(
        tuple(
            decide(workload, inventory, policy)
            for workload in inventory.workloads()
            if wanted is None or (workload.key.kind, workload.key.namespace, workload.key.name) in wanted
        )
    )
    with open_git(settings, threading.Event()) as git:
        future = foresight.foresee(plan, inventory, git)
    return Report.of(
        plan,
        policy=policy,
        backups=inventory,
        places={key: _place(place) for key, place in future.places.items()},
        obstacles=future.obstacles,
        files=(_file(change) for change in future.changes if diff),
        problems=future.problems,
    )


def _place(place: foresight.Place) -> Place:
    return Place(
        repository=place.target.repository,
        branch=place.branch,
        commit=place.commit,
        path=place.path,
        line=place.line,
    )


def _file(change: foresight.Change) -> FileReport:
    repository = change.target.repository if change.target is not None else None
    return FileReport(repository=repository, branch=change.branch, path=change.path, diff=change.diff)


def snapshot(connection: Connection, policy: Policy) -> Inventory:
    """Everything in the cluster that decisions read, once. Raises what listing it raises."""
    inventory = Inventory(policy, Journal(lambda: datetime.now(UTC)), manage=management)
    feed = Feed(inventory, policy, lambda concerned: None)
    _require_backups(connection)
    for kind, resource in ((Kind.DEPLOYMENT, DEPLOYMENTS), (Kind.DAEMON_SET, DAEMON_SETS)):
        project, put = feed.workload(kind)
        for key, workload in list_objects(connection, resource, project=project).objects.items():
            put(key, workload)
    for key, directive in list_objects(connection, NAMESPACES, project=project_namespace).objects.items():
        feed.put_namespace(key, directive)
    if serves(connection, APPLICATIONS):
        listed = list_objects(connection, APPLICATIONS, project=Application.project)
        for key, application in listed.objects.items():
            feed.put_application(key, application)
    for key, pod in list_objects(connection, PODS, project=feed.project_pod).objects.items():
        feed.put_pod(key, pod)
    home = policy.backup_namespace
    records = list_objects(connection, IMAGE_BACKUPS, project=ImageBackup.project, namespace=home)
    for key, backup in records.objects.items():
        feed.put_backup(key, backup)
    return inventory


def _require_backups(connection: Connection) -> None:
    if not serves(connection, IMAGE_BACKUPS):
        raise UsageError(
            f"the API server at {connection.url} does not know ImageBackups",
            hint="kubectl apply -f crds/k8slab.io_imagebackups.yaml",
        )


def _selected(
    connection: Connection, namespace: str | None, selector: str | None
) -> set[tuple[str, str, str]] | None:
    if namespace is None and selector is None:
        return None
    found: set[tuple[str, str, str]] = set()
    for kind, resource in ((Kind.DEPLOYMENT, DEPLOYMENTS), (Kind.DAEMON_SET, DAEMON_SETS)):
        for page in connection.list_pages(resource.path(namespace), label_selector=selector):
            found |= {(kind, o["metadata"]["namespace"], o["metadata"]["name"]) for o in page["items"]}
    return found


def _print(made: Report, output: str) -> None:
    if output == "json":
        click.echo(made.model_dump_json(indent=2))
        return
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    click.echo(render(made, width=width, colours=_colours(terminal)), nl=False)
    for text in _diffs(made):
        click.echo(text, nl=False)


def _colours(terminal: bool) -> bool:
    return terminal and not os.environ.get("NO_COLOR")


def _diffs(made: Report) -> Iterable[str]:
    for file in made.files:
        yield f"\n{file.diff}"
