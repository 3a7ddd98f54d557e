"""Everything in a cluster that decisions read, once: for the dry run.

Where one namespace is asked for, the right to list what is in it is enough, together with the ImageBackups
and with the Applications where Argo CD looks for them: without these, what is planned would be wrong. A
cluster without their CustomResourceDefinitions is one in which there are none yet.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from gitops_backup.cli.wiring import Feed
from gitops_backup.cluster.access import missing_permissions
from gitops_backup.cluster.argocd import ArgoCdReader
from gitops_backup.cluster.connection import Connection, Json
from gitops_backup.cluster.discovery import serves
from gitops_backup.cluster.errors import Forbidden, NotFound
from gitops_backup.cluster.keys import ObjectKey
from gitops_backup.cluster.listing import list_objects
from gitops_backup.cluster.permissions import Permission
from gitops_backup.cluster.resources import (
    APP_PROJECTS,
    APPLICATIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    IMAGE_BACKUPS,
    NAMESPACES,
    PODS,
    Resource,
)
from gitops_backup.cluster.writer import directive_of
from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.journal import Journal
from gitops_backup.controller.targets import management
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.policy import Policy
from gitops_backup.domain.workloads import Kind
from gitops_backup.errors import GitopsBackupError, UsageError
from gitops_backup.sources.argocd import CONFIG_MAP
from gitops_backup.sources.projects import Project

Listed = tuple[Connection, Resource, str | None, Callable[[Json], Any], Callable[[ObjectKey, Any], None]]
"""Where, a kind, a namespace or none for all, and how the objects there are projected and put."""


def snapshot(
    connection: Connection,
    policy: Policy,
    *,
    argocd: Connection | None = None,
    namespace: str | None = None,
    tell: Callable[[str], None] = lambda note: None,
) -> Inventory:
    """What there is now, of `namespace` or of all; `tell` gets what is not known and taken as absent.

    `argocd` leads to the API server that has the Applications, where it is another one.
    Raises `UsageError` where rights are missing, all of them in one line, and what listing raises.
    """
    manage = partial(management, signing_keys=policy.signing_keys)
    inventory = Inventory(policy, Journal(lambda: datetime.now(UTC)), manage=manage)
    feed = Feed(inventory, policy, lambda concerned: None)
    lists = _lists(connection, argocd or connection, feed, policy, namespace)
    try:
        for server, resource, where, project, put in lists:
            for key, seen in list_objects(server, resource, project=project, namespace=where).objects.items():
                put(key, seen)
    except Forbidden as error:
        wanted: dict[Connection, list[Permission]] = {}
        for server, resource, where, _, _ in lists:
            wanted.setdefault(server, []).append(Permission("list", resource, where))
        missing = "; ".join(str(p) for server in wanted for p in missing_permissions(server, wanted[server]))
        if not missing:
            raise
        raise UsageError(f"these credentials may not {missing}", hint="grant that by RBAC") from error
    if namespace is not None:
        hidden = _put_namespaces(connection, feed, sorted({namespace, policy.backup_namespace}))
        if hidden:
            tell(
                f"these credentials may not get namespaces: no annotation is known of {' and '.join(hidden)}"
            )
    _read_settings(argocd or connection, feed, tell)
    if IMAGE_BACKUPS not in {resource for _, resource, _, _, _ in lists}:
        tell("the CustomResourceDefinition of ImageBackups is not installed: no image is backed up yet")
    return inventory


def _lists(
    connection: Connection, argocd: Connection, feed: Feed, policy: Policy, namespace: str | None
) -> list[Listed]:
    lists: list[Listed] = [
        (connection, DEPLOYMENTS, namespace, *feed.workload(Kind.DEPLOYMENT)),
        (connection, DAEMON_SETS, namespace, *feed.workload(Kind.DAEMON_SET)),
    ]
    if namespace is None:
        lists.append((connection, NAMESPACES, None, directive_of, feed.put_namespace))
    if serves(argocd, APPLICATIONS):
        places = [None] if namespace is None else sorted(policy.argocd_namespaces)
        for place in places:
            lists.append((argocd, APP_PROJECTS, place, Project.project, feed.put_project))
            lists.append((argocd, APPLICATIONS, place, feed.project_application, feed.put_application))
    lists.append((connection, PODS, namespace, feed.project_pod, feed.put_pod))
    if serves(connection, IMAGE_BACKUPS):
        lists.append(
            (connection, IMAGE_BACKUPS, policy.backup_namespace, ImageBackup.project, feed.put_backup)
        )
    return lists


def _read_settings(argocd: Connection, feed: Feed, tell: Callable[[str], None]) -> None:
    def on_default(home: str, error: GitopsBackupError) -> None:
        if isinstance(error, Forbidden):
            what = f"the ConfigMap {CONFIG_MAP} in the namespace {home}"
            tell(f"these credentials may not get {what}: Argo CD's defaults are assumed")

    ArgoCdReader(argocd, homes=feed.homes, put=feed.put_argocd, on_default=on_default).read()


def _put_namespaces(connection: Connection, feed: Feed, names: Iterable[str]) -> list[str]:
    """Put these, where they are; those that may not be seen are returned."""
    hidden = []
    for name in names:
        try:
            found = connection.get(NAMESPACES.path(name=name))
        except NotFound:
            continue
        except Forbidden:
            hidden.append(name)
        else:
            feed.put_namespace(ObjectKey.of(found), directive_of(found))
    return hidden
