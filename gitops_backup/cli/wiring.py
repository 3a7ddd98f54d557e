"""From settings to the parts of the house: registries, Git, the cluster's watches."""

import os
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from gitops_backup.cluster.connection import Connection, Json, connect
from gitops_backup.cluster.discovery import serves
from gitops_backup.cluster.keys import ObjectKey
from gitops_backup.cluster.permissions import Permission
from gitops_backup.cluster.resources import (
    APP_PROJECTS,
    APPLICATIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    EVENTS,
    IMAGE_BACKUPS,
    LEASES,
    NAMESPACES,
    PODS,
    Resource,
)
from gitops_backup.controller.inventory import Concerned, Inventory
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Prefix
from gitops_backup.domain.policy import Mode, Policy, Unmanaged
from gitops_backup.domain.workloads import Kind, Pod, Workload, WorkloadKey
from gitops_backup.errors import UsageError, one_line
from gitops_backup.git.commits import Identity
from gitops_backup.git.credentials import GitCredentials, Password
from gitops_backup.git.errors import InvalidRepositoryUrl
from gitops_backup.git.repository import RepositoryUrl
from gitops_backup.git.signing import Signer, open_signer
from gitops_backup.git.store import GitStore
from gitops_backup.proxies import PROXY_VARIABLES, Proxies
from gitops_backup.registry.client import RegistryClient
from gitops_backup.registry.cooldown import Cooldowns
from gitops_backup.registry.copier import Copier
from gitops_backup.registry.credentials import (
    Anonymous,
    Authfile,
    Credential,
    Credentials,
    DestinationCredentials,
    RenewableCredentials,
    SourceCredentials,
)
from gitops_backup.registry.failures import Side
from gitops_backup.registry.folder import temporary_folder
from gitops_backup.registry.locations import Location, Locations
from gitops_backup.registry.registries import Registries, Sources
from gitops_backup.registry.skopeo import Skopeo
from gitops_backup.registry.slots import Slots
from gitops_backup.rendering.cache import CachingRenderer
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.settings import Settings
from gitops_backup.sources.applications import Application
from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.projects import Project
from gitops_backup.sources.rendering import Renderer

_HANDED_ON_TO_GIT = (*PROXY_VARIABLES, "SSL_CERT_FILE", "GIT_SSL_CAINFO")
_HANDED_ON_TO_SKOPEO = (*PROXY_VARIABLES, "SSL_CERT_FILE", "SSL_CERT_DIR")
_USER_FILE = "username"
# the earlier system's documentation had the second spelling
_PASSWORD_FILES = ("password", "passowrd")


@contextmanager
def open_registries(
    settings: Settings,
    policy: Policy,
    cancel: threading.Event,
    *,
    call: Callable[[str], None] = lambda name: None,
) -> Iterator[Registries]:
    """Both sides of every copy; `call` gets who stood in line for a place, and has one now.

    Raises `UsageError` for what is wrong in the settings, or with skopeo.
    """
    locations = locations_of(settings)
    cooldowns = Cooldowns(time.monotonic)
    proxies = Proxies(os.environ)
    for_sources = RenewableCredentials(lambda: _source_credentials(settings))
    for_backups = RenewableCredentials(lambda: _destination_credentials(settings, policy))
    destination = RegistryClient(
        Side.DESTINATION,
        locations=locations,
        credentials=for_backups,
        cooldowns=cooldowns,
        proxies=proxies,
    )
    with temporary_folder() as folder, ExitStack() as closing:
        closing.callback(destination.close)
        skopeo = Skopeo(
            folder,
            timeout=settings.copy_timeout,
            environment=_of_the_surroundings(_HANDED_ON_TO_SKOPEO),
        )
        skopeo.version()

        def sources(credentials: Credentials) -> Sources:
            client = RegistryClient(
                Side.SOURCE,
                locations=locations,
                credentials=credentials,
                cooldowns=cooldowns,
                proxies=proxies,
            )
            closing.callback(client.close)
            copier = Copier(source=client, destination=destination, skopeo=skopeo, cooldowns=cooldowns)
            return Sources(client, copier)

        yield Registries(
            sources=sources(for_sources),
            public=sources(Anonymous()),
            destination=destination,
            slots=Slots(locations.concurrency(), call=call),
            credentials=(for_sources, for_backups),
            cancel=cancel,
        )


@contextmanager
def open_backup_registry(settings: Settings, policy: Policy) -> Iterator[Callable[[Reference], str | None]]:
    """Who tells the digest that the backup registry has under a name, and None where it has none.

    Raises `UsageError` for what is wrong in the settings; the one who tells raises `CopyFailed`.
    """
    client = RegistryClient(
        Side.DESTINATION,
        locations=locations_of(settings),
        credentials=_destination_credentials(settings, policy),
        cooldowns=Cooldowns(time.monotonic),
        proxies=Proxies(os.environ),
    )

    def held(backup: Reference) -> str | None:
        found = client.head(backup)
        return found.digest if found is not None else None

    with closing(client):
        yield held


def connect_argocd(settings: Settings) -> Connection | None:
    """A connection to the API server that has the Applications, where it is another one.

    Raises `UsageError` in one line where that is set and cannot be had, or knows no Applications.
    """
    if settings.argocd_kubeconfig is None:
        return None
    try:
        connection = connect(kubeconfig=settings.argocd_kubeconfig, context=None)
    except UsageError as error:
        raise UsageError(f"argocd_kubeconfig: {error.message}", hint=error.hint) from error
    if not serves(connection, APPLICATIONS):
        raise UsageError(
            f"the API server at {connection.url} knows no Applications",
            hint="set argocd_kubeconfig to one for the cluster that Argo CD runs in",
        )
    return connection


@contextmanager
def open_signing(settings: Settings) -> Iterator[Signer | None]:
    """Who signs commits, where a key is set. Raises `UsageError` for what is wrong with the key."""
    if settings.git_signing_key is None:
        if settings.git_signing_passphrase is not None:
            raise UsageError("there is a git_signing_passphrase, and no git_signing_key that it is for")
        yield None
        return
    with temporary_folder() as folder, ExitStack() as stack:
        signer = open_signer(
            settings.git_signing_key, passphrase=settings.git_signing_passphrase, folder=folder
        )
        stack.callback(signer.close)
        yield signer


def open_git(settings: Settings, cancel: threading.Event, *, signer: Signer | None = None) -> GitStore:
    """The clones. Raises `UsageError` for what is wrong in the settings, with the cache, or with git."""
    folder = settings.cache / "git"
    credentials = git_credentials(settings)
    try:
        return GitStore(
            folder,
            identity=Identity(settings.git_author_name, settings.git_author_email),
            signer=signer,
            credentials=credentials,
            timeout=settings.git_timeout,
            environment=_of_the_surroundings(_HANDED_ON_TO_GIT),
            cancel=cancel,
        )
    except OSError as error:
        raise UsageError(
            f"the folder {folder} for clones cannot be used: {error.strerror}",
            hint="set cache to a folder that can be written to",
        ) from error


def git_credentials(settings: Settings) -> list[GitCredentials]:
    """Whom git says it is. Raises `UsageError` for what is wrong in the settings, or in the files."""
    given = {"username": settings.git_username, "password": settings.git_password}
    missing = [name for name, value in given.items() if value is None]
    if settings.git_credentials is None and len(missing) == len(given):
        return []
    if settings.git_credentials is None and missing:
        raise UsageError(f"the {missing[0]} for Git is missing", hint="set both, or neither")
    if settings.git_prefix is None:
        raise UsageError(
            "there are Git credentials, and no URL that they are for",
            hint="set git_prefix, for example to https://git.example/team",
        )
    try:
        if settings.git_credentials is not None:
            return [GitCredentials.from_folder(settings.git_prefix, settings.git_credentials)]
        password = settings.git_password.get_secret_value() if settings.git_password is not None else ""
        login = Password(settings.git_username or "", password)
        return [GitCredentials(RepositoryUrl.parse_prefix(settings.git_prefix), login)]
    except InvalidRepositoryUrl as error:
        raise UsageError(f"the setting 'git_prefix' is wrong: {error.message}", hint=error.hint) from error


def locations_of(settings: Settings) -> Locations:
    """Where registries and other servers really are. Raises `UsageError`."""
    for prefix, entry in settings.registries.items():
        if entry.ca is not None:
            _check_authorities(prefix, entry.ca)
    return Locations(
        Location(
            Prefix.parse(prefix),
            location=entry.location or prefix,
            insecure=entry.insecure,
            ca=entry.ca,
            concurrency=entry.concurrency,
        )
        for prefix, entry in settings.registries.items()
    )


@contextmanager
def open_renderer(settings: Settings, cancel: threading.Event) -> Iterator[Renderer]:
    """What renders kustomizations, charts and jsonnet; a missing program is a reason where it is needed."""
    programs = {
        name: _executable(name, given)
        for name, given in (
            ("kustomize", settings.kustomize),
            ("helm", settings.helm),
            ("jsonnet", settings.jsonnet),
        )
    }
    with temporary_folder() as scratch:
        renderer = LocalRenderer(
            scratch=scratch,
            kustomize=programs["kustomize"],
            helm=programs["helm"],
            jsonnet=programs["jsonnet"],
            cancel=cancel,
        )
        yield CachingRenderer(renderer, version=str(programs))


class Feed:
    """What the API server sends, projected and put into the inventory; `wake` gets whom it concerns."""

    def __init__(self, inventory: Inventory, policy: Policy, wake: Callable[[Concerned], None]) -> None:
        self._inventory = inventory
        self._policy = policy
        self._wake = wake

    def workload(
        self, kind: Kind
    ) -> tuple[Callable[[Json], Workload], Callable[[ObjectKey, Workload | None], None]]:
        """How workloads of this kind are projected, and put."""

        def put(key: ObjectKey, workload: Workload | None) -> None:
            self._wake(self._inventory.put_workload(WorkloadKey(kind, *key), workload))

        return lambda obj: Workload.project(kind, obj), put

    def project_application(self, obj: Json) -> Application | None:
        """An Application, where Argo CD would look at it: what others write elsewhere is no word of its."""
        if obj["metadata"].get("namespace") not in self._policy.argocd_namespaces:
            return None
        return Application.project(obj, destinations=self._policy.argocd_destinations)

    def project_pod(self, obj: Json) -> Pod | None:
        """A pod, where it is of a workload that is in scope."""
        if obj["metadata"].get("namespace") in self._policy.restricted_namespaces:
            return None
        return Pod.project(obj)

    def put_pod(self, key: ObjectKey, pod: Pod | None) -> None:
        """A pod changed."""
        self._wake(self._inventory.put_pod(key, pod))

    def put_namespace(self, key: ObjectKey, directive: str | None) -> None:
        """A namespace changed."""
        self._wake(self._inventory.put_namespace(key.name, directive))

    def put_backup(self, key: ObjectKey, backup: ImageBackup | None) -> None:
        """An ImageBackup changed."""
        self._wake(self._inventory.put_backup(key.name, backup))

    def put_project(self, key: ObjectKey, project: Project | None) -> None:
        """An AppProject changed."""
        self._wake(self._inventory.put_project(key, project))

    def put_application(self, key: ObjectKey, application: Application | None) -> None:
        """An Application changed."""
        self._wake(self._inventory.put_application(key, application))

    def homes(self) -> set[str]:
        """The namespaces of Argo CDs: an Application says which, and is not believed everything."""
        return self._inventory.homes() & self._policy.argocd_namespaces

    def put_argocd(self, home: str, argocd: ArgoCd) -> None:
        """The settings of the Argo CD in a namespace were read."""
        self._wake(self._inventory.put_argocd(home, argocd))


def permissions(policy: Policy, *, applications: bool) -> list[Permission]:
    """What a controller with this policy does on the API server."""
    everywhere: list[Resource] = [DEPLOYMENTS, DAEMON_SETS, PODS, NAMESPACES]
    home = policy.backup_namespace
    wanted = [Permission(verb, resource) for resource in everywhere for verb in ("list", "watch")]
    wanted += [Permission(verb, IMAGE_BACKUPS, home) for verb in ("list", "watch")]
    if applications:
        wanted += argocd_permissions(policy)
    if policy.mode == Mode.REPORT:
        return wanted
    wanted += [Permission(verb, IMAGE_BACKUPS, home) for verb in ("create", "delete")]
    wanted.append(Permission("update", IMAGE_BACKUPS, home, "status"))
    wanted += [Permission("create", LEASES, home), Permission("create", EVENTS)]
    if policy.mode == Mode.DIRECT or policy.unmanaged == Unmanaged.PATCH:
        wanted += [Permission(verb, kind) for kind in (DEPLOYMENTS, DAEMON_SETS) for verb in ("get", "patch")]
        wanted.append(Permission("get", NAMESPACES))
    return wanted


def argocd_permissions(policy: Policy) -> list[Permission]:
    """What a controller with this policy does on the API server that has the Applications."""
    resources = APPLICATIONS, APP_PROJECTS
    wanted = [Permission(verb, resource) for resource in resources for verb in ("list", "watch")]
    if policy.mode == Mode.GITOPS:
        wanted.append(Permission("patch", APPLICATIONS))
    return wanted


def _of_the_surroundings(names: Iterable[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _executable(name: str, given: Path | None) -> Path | None:
    if given is not None and not os.access(given, os.X_OK):
        raise UsageError(f"the setting '{name}' is wrong: {given} is not a program that can be run")
    found = given or shutil.which(name)
    return Path(found) if found is not None else None


def _check_authorities(prefix: str, file: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except OSError as error:
        what = error.strerror or one_line(str(error))
        raise UsageError(f"the setting 'registries.{prefix}.ca' is wrong: {file}: {what}") from error


def _source_credentials(settings: Settings) -> Credentials:
    if settings.source_authfile is None:
        return Anonymous()
    if not settings.source_prefixes:
        raise UsageError(
            "there is a source_authfile, and no prefix that it is for",
            hint="set source_prefixes, for example to registry.example.com/private",
        )
    prefixes = tuple(Prefix.parse(text) for text in settings.source_prefixes)
    return SourceCredentials(Authfile.read(settings.source_authfile), prefixes)


def _destination_credentials(settings: Settings, policy: Policy) -> Credentials:
    username, password = settings.backup_repository_username, settings.backup_repository_password
    if settings.backup_credentials is not None:
        username, secret = _from_folder(settings.backup_credentials)
    elif username is not None and password is not None:
        secret = password.get_secret_value()
    elif username is None and password is None:
        return Anonymous()
    else:
        missing = "user name" if username is None else "password"
        raise UsageError(f"the backup registry's {missing} is missing", hint="set both, or neither")
    return DestinationCredentials(policy.naming.prefix, Credential(username, secret))


def _from_folder(folder: Path) -> tuple[str, str]:
    username = folder / _USER_FILE
    password = next((folder / name for name in _PASSWORD_FILES if (folder / name).is_file()), None)
    try:
        if password is None:
            raise UsageError(f"the folder {folder} has no file 'password'")
        found = username.read_text().rstrip("\r\n"), password.read_text().rstrip("\r\n")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # the library's error holds what was read
        raise UsageError(f"the files in {folder} are not UTF-8 text") from None
    if not all(found):
        raise UsageError(f"the user name or the password in {folder} is empty")
    return found
