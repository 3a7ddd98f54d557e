"""`gitops-backup report`: the dry run, by the very plan that the controller acts on."""

import json
import re
import shutil
import sys
import threading
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from gitops_backup.cli.context import Globals
from gitops_backup.cli.downloading import open_elsewhere
from gitops_backup.cli.fleet import listed_clusters
from gitops_backup.cli.forges import open_git_once
from gitops_backup.cli.offline import foresee_offline
from gitops_backup.cli.options import ALL, OTHER_WAYS, settings_options
from gitops_backup.cli.snapshot import snapshot
from gitops_backup.cli.streams import takes_colours
from gitops_backup.cli.wiring import connect_argocd, open_renderer, open_signing
from gitops_backup.cluster.connection import Connection, connect
from gitops_backup.cluster.resources import DAEMON_SETS, DEPLOYMENTS
from gitops_backup.controller import foresight
from gitops_backup.controller.along import Along
from gitops_backup.domain.planning import Plan, decide
from gitops_backup.domain.policy import Mode, Policy
from gitops_backup.domain.workloads import Kind, WorkloadKey
from gitops_backup.errors import GitopsBackupError, UsageError
from gitops_backup.report.changes import render_changes
from gitops_backup.report.compiling import ContainerKey, Obstacle, report_of
from gitops_backup.report.junit import render_junit
from gitops_backup.report.markdown import render_markdown
from gitops_backup.report.model import AlongReport, FileReport, Place, Report
from gitops_backup.report.renovate import render_renovate
from gitops_backup.report.sarif import render_sarif
from gitops_backup.report.table import render
from gitops_backup.settings import Settings

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OF_THE_CONTROLLER = {
    *("listen", "probes_port", "metrics_port", "resync", "expiry", "copies", "copy_timeout"),
    *("backup_repository_username", "backup_credentials", "source_authfile", "source_prefixes"),
    *("git_author_name", "git_author_email"),
}
_OPTIONS = tuple(name for name in ALL if name not in _OF_THE_CONTROLLER)


def _name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A namespace's name (RFC 1123, "label"), which becomes part of a path."""
    if value is not None and not _NAME.fullmatch(value):
        raise click.BadParameter(f"{value!r} cannot name a namespace", context, parameter)
    return value


def _labels(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A selector; what is wrong in one that could be one, the API server says."""
    if value is not None and not value.isascii():
        raise click.BadParameter(f"{value!r} has characters that no label has", context, parameter)
    return value


@click.command(epilog=OTHER_WAYS)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "markdown", "sarif", "junit", "renovate"]),
    default="table",
    show_default=True,
    help="The form.",
)
@click.option("--diff", is_flag=True, help="Show the exact change of each file or workload.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something is due or blocked.")
@click.option("-n", "--namespace", callback=_name, help="Only workloads in this namespace.")
@click.option("-l", "--selector", callback=_labels, help="Only workloads with these labels.")
@click.option(
    "--from",
    "repository",
    metavar="REPO",
    help="Ask no cluster: plan for what a Git repository (a folder or a URL) deploys at its HEAD.",
)
@click.option(
    "--applications",
    metavar="PATH",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="With --from: a file or folder with the Applications, if they are not in REPO; may be repeated.",
)
@click.option(
    "--check-registry",
    is_flag=True,
    help="With --from: ask the backup registry which copies are there, instead of assuming all.",
)
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
    repository: str | None,
    applications: tuple[Path, ...],
    check_registry: bool,
    **flags: Any,
) -> None:
    """Show what would be copied, committed and patched, and what is blocked and why. Writes nothing.

    Exits with 0; with --exit-code, with 1 when something is due or blocked; with 2 when there is no report.
    """
    options.configure_process()
    settings = options.settings(flags)
    if repository is None and (applications or check_registry):
        raise UsageError(
            "--applications and --check-registry say more of what --from names", hint="add --from"
        )
    try:
        if repository is None:
            mode = settings.mode or Mode.REPORT
            with open_signing(settings) as signer:
                policy = settings.policy(mode=mode, signing_keys=signer.key_ids if signer else ())
            connection = connect(kubeconfig=options.kubeconfig, context=options.context)
            made = _report(connection, settings, policy, namespace=namespace, selector=selector, diff=diff)
        else:
            _check_offline(settings, selector)
            made = _offline_report(
                repository,
                settings,
                applications=applications,
                namespace=namespace,
                check_registry=check_registry,
                diff=diff,
            )
        if not made.workloads:
            where = f" in the namespace {namespace}" if namespace is not None else ""
            click.echo(f"no Deployment or DaemonSet found{where}", err=True)
        _print(made, output)
    except GitopsBackupError as error:
        # 1 says that something is due
        raise UsageError(error.message, hint=error.hint) from error
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
    argocd = connect_argocd(settings)
    tell = partial(click.echo, err=True)
    inventory = snapshot(connection, policy, argocd=argocd, namespace=namespace, tell=tell)
    wanted = _selected(connection, selector, namespace) if selector is not None else None
    plan = Plan(
        tuple(
            decide(workload, inventory, policy)
            for workload in inventory.workloads()
            if wanted is None or workload.key in wanted
        )
    )
    going_on = threading.Event()
    with (
        open_git_once(settings, going_on) as git,
        open_elsewhere(settings, git) as elsewhere,
        open_renderer(settings, going_on) as renderer,
    ):
        future = foresight.foresee(
            plan,
            inventory,
            git,
            renderer=renderer,
            elsewhere=elsewhere,
            now=datetime.now(UTC),
            signing_keys=policy.signing_keys,
            clusters=listed_clusters(settings),
        )
    return report_of(
        plan,
        policy=policy,
        backups=inventory,
        places={key: _place(place) for key, place in future.places.items()},
        obstacles=_obstacles(future, diff=diff),
        files=(_file(change) for change in future.changes if diff),
        along=map(_along, future.along),
        problems=future.problems,
    )


def _check_offline(settings: Settings, selector: str | None) -> None:
    if selector is not None:
        raise UsageError("labels are selected by an API server, and --from asks none", hint="use --namespace")
    if settings.mode == Mode.DIRECT:
        raise UsageError("mode direct patches a cluster, and --from plans commits", hint="use mode gitops")


def _offline_report(
    repository: str,
    settings: Settings,
    *,
    applications: Sequence[Path],
    namespace: str | None,
    check_registry: bool,
    diff: bool,
) -> Report:
    policy = settings.policy(mode=Mode.GITOPS)
    foreseen = foresee_offline(
        repository,
        settings,
        policy,
        applications=applications,
        namespace=namespace,
        check_registry=check_registry,
        tell=partial(click.echo, err=True),
    )
    return report_of(
        foreseen.plan,
        policy=policy,
        backups=foreseen.inventory,
        places={key: _place(place) for key, place in foreseen.future.places.items()},
        obstacles=_obstacles(foreseen.future, diff=diff),
        files=(_file(change) for change in foreseen.future.changes if diff),
        along=map(_along, foreseen.future.along),
        problems=foreseen.problems,
        assumed=not check_registry,
    )


def _place(place: foresight.Place) -> Place:
    return Place(
        repository=place.target.repository,
        branch=place.branch,
        commit=place.commit,
        path=place.path,
        line=place.line,
        line_before=place.line_before,
        new=place.new,
    )


def _obstacles(future: foresight.Future, *, diff: bool) -> dict[ContainerKey, Obstacle]:
    return {
        key: Obstacle(each.reason, each.message, each.difference if diff else "")
        for key, each in future.obstacles.items()
    }


def _along(along: Along) -> AlongReport:
    return AlongReport(
        application=along.application,
        kind=along.object.kind,
        namespace=along.object.namespace,
        name=along.object.name,
        place=along.place,
        image=along.before,
        becomes=along.now,
    )


def _file(change: foresight.Change) -> FileReport:
    repository = change.target.repository if change.target is not None else None
    return FileReport(
        repository=repository,
        branch=change.branch,
        commit=change.commit,
        path=change.path,
        diff=change.diff,
    )


def _selected(connection: Connection, selector: str, namespace: str | None) -> Collection[WorkloadKey]:
    found: set[WorkloadKey] = set()
    for kind, resource in ((Kind.DEPLOYMENT, DEPLOYMENTS), (Kind.DAEMON_SET, DAEMON_SETS)):
        for page in connection.list_pages(resource.path(namespace), label_selector=selector):
            metadata = (item["metadata"] for item in page["items"] or ())
            found |= {WorkloadKey(kind, each["namespace"], each["name"]) for each in metadata}
    return found


def _print(made: Report, output: str) -> None:
    if output == "json":
        # a path in Git may hold bytes that are no UTF-8; JSON can say them in ASCII alone
        click.echo(json.dumps(made.model_dump(), indent=2))
        return
    if output in _FORMS:
        click.echo(_FORMS[output](made).encode("utf-8", "surrogateescape"), nl=False)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    colours = takes_colours(sys.stdout)
    text = render(made, width=width, colours=colours)
    changes = render_changes(made, colours=colours)
    # files may hold bytes that are no UTF-8
    click.echo("\n".join(filter(None, (text, changes))).encode("utf-8", "surrogateescape"), nl=False)


_FORMS = {
    "markdown": render_markdown,
    "sarif": render_sarif,
    "junit": render_junit,
    "renovate": render_renovate,
}
