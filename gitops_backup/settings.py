"""The settings: one typed object, from flags, the environment and a YAML file, in that order of precedence.

Every setting can be given as `GITOPS_BACKUP_<NAME>` in the environment, or under its own name in the file.
The names that the earlier system had in the environment (`BACKUP_REPOSITORY` and those of its credentials)
work as well. The documentation's table is made from here.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from platformdirs import user_cache_path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from gitops_backup.domain.images import InvalidReference
from gitops_backup.domain.naming import Naming, Prefix, Shape
from gitops_backup.domain.policy import THIS_CLUSTER, Mode, Policy, Unmanaged
from gitops_backup.domain.pull_requests import ForgeKind, WriteMode
from gitops_backup.domain.urls import UrlPrefix
from gitops_backup.errors import UsageError, one_line

ENVIRONMENT_PREFIX = "GITOPS_BACKUP_"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
STRUCTURED = ("registries", "repositories", "argocd_clusters")
"""The settings that are more than a text or a list of texts: YAML in the environment, and no options."""


def _comma_separated(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _prefix(value: str) -> str:
    try:
        return str(Prefix.parse(value))
    except InvalidReference as error:
        raise ValueError(str(error)) from error


def _backup_prefix(value: str) -> str:
    try:
        return str(Naming.below(value).prefix)
    except InvalidReference as error:
        raise ValueError(str(error)) from error


def _url_prefix(value: str) -> str:
    return str(UrlPrefix.parse(value))


def _annotations(value: dict[str, str]) -> dict[str, str]:
    if _LAST_APPLIED in value:
        raise ValueError(f"{_LAST_APPLIED} holds the credentials of the Secret: leave it out")
    return value


def _names_apart(value: tuple["ClusterSettings", ...] | None) -> tuple["ClusterSettings", ...] | None:
    names = [each.name for each in value or ()]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"there are several clusters of the name {twice}")
    return value


PrefixText = Annotated[str, AfterValidator(_prefix)]
BackupPrefixText = Annotated[str, AfterValidator(_backup_prefix)]
Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]
UrlPrefixes = Annotated[
    tuple[Annotated[str, AfterValidator(_url_prefix)], ...], BeforeValidator(_comma_separated)
]
Prefixes = Annotated[tuple[PrefixText, ...], BeforeValidator(_comma_separated)]


class RegistrySettings(BaseModel):
    """Where a registry, or a prefix of one, really is, and how it is talked to."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    location: str | None = None
    """The host, with an optional port and path, that stands in for the prefix."""
    insecure: bool = False
    """Talk plain HTTP, or TLS that is not verified."""
    ca: Path | None = None
    """A PEM file with the authorities to trust."""
    concurrency: int | None = Field(default=None, ge=1, le=100)
    """How many copies at a time may use it."""


class RepositorySettings(BaseModel):
    """How the repositories below a URL prefix are written to."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    write: WriteMode = WriteMode.PUSH
    """`push` commits to the branch that Argo CD follows; `pull-request` keeps one pull request for it."""
    forge: ForgeKind | None = None
    """What kind of forge it is; where nothing is said, well-known hosts are known, and others are asked."""
    api: str | None = Field(default=None, pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*[^/?#\s])?$")
    """The address of the forge's API; by default the usual one on the repository's host."""
    token: Path | None = None
    """A file with a token for the API, which is read again when it changes; by default the Git password."""
    app_id: int | None = Field(default=None, ge=1, le=2**53)
    """The number of a GitHub App; with the next two, it is who reads and pushes, too, over HTTPS."""
    installation_id: int | None = Field(default=None, ge=1, le=2**53)
    """The number of that App's installation."""
    app_key: Path | None = None
    """A file with that App's private key."""


class ClusterSettings(BaseModel):
    """A cluster that Argo CD knows, as it is in Argo CD's Secret, but for the credentials."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(min_length=1)
    """What Argo CD calls it."""
    server: str = Field(pattern=r"^https?://[^/@\s]+[^@\s]*$")
    """The URL of its API server."""
    project: str = ""
    """The project that the cluster belongs to, if it belongs to one."""
    labels: dict[str, str] = {}
    """The labels of the Secret, as far as generators select by them or templates name them."""
    annotations: Annotated[dict[str, str], AfterValidator(_annotations)] = {}
    """The annotations of the Secret, as far as templates name them."""


class Settings(BaseModel):
    """Every setting, with its default and its range."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    mode: Mode | None = None
    """What may be written: `report` nothing, `gitops` commits, `direct` patches; `run` needs one."""
    backup_repository: BackupPrefixText | None = None
    """The prefix below which all backups lie, for example `docker.io/acme`."""
    backup_names: Shape = Shape.FLAT
    """How backups are named there: `flat` as `library_nginx`, `nested` as `docker.io/library/nginx`."""
    backup_repository_username: str | None = None
    """The user name for the backup registry."""
    backup_repository_password: SecretStr | None = None
    """The password for the backup registry; it is read once, at the start."""
    backup_credentials: Path | None = None
    """A folder with the files `username` and `password`, as the Secret of the backup registry is mounted;
    they are read again when they change."""
    exclusive: bool = False
    """Whether nothing but this controller pushes below the backup prefix."""
    trusted_prefixes: Prefixes = ()
    """Prefixes of other backup registries; images below them are left alone."""
    source_authfile: Path | None = None
    """A docker config file with credentials for sources; it is read again when it changes."""
    source_prefixes: Prefixes = ()
    """The prefixes that `source_authfile` is used for; all other sources are read anonymously."""
    registries: dict[PrefixText, RegistrySettings] = {}
    """Where registries really are, and how they are talked to, by prefix."""
    download_prefixes: UrlPrefixes = ()
    """Beginnings of URLs from which charts and value files that Applications name, and charts that these
    depend on, may be downloaded, for example `https://charts.example` or `oci://registry.example/charts`;
    none by default."""
    download_authfile: Path | None = None
    """A docker config file with credentials for those, by host and path; it is read again when it changes."""
    repositories: dict[str, RepositorySettings] = {}
    """How repositories are written to, by URL prefix; by default with a push to the branch."""
    pull_request_branch: str = Field(default="gitops-backup", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    """What the branches of pull requests begin with; the branch that they are for follows, behind a slash."""
    backup_namespace: str = Field(default="image-backup", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    """The namespace of the ImageBackups."""
    restricted_namespaces: Names = ("kube-system", "kube-public", "kube-node-lease", "image-backup")
    """Namespaces that are left alone."""
    argocd_namespaces: Names = ("argocd",)
    """Namespaces in which Argo CD looks for Applications; those elsewhere are not believed."""
    argocd_destinations: Names = THIS_CLUSTER
    """The addresses and names by which Applications name this cluster as the one that they deploy to."""
    argocd_kubeconfig: Path | None = None
    """A kubeconfig of the cluster that Argo CD runs in, where that is another one."""
    argocd_clusters: Annotated[tuple[ClusterSettings, ...] | None, AfterValidator(_names_apart)] = None
    """The clusters that Argo CD knows, for ApplicationSets that generate from them; an empty list says that
    there is none but its own. Without it, what such a set says of images is not edited."""
    unmanaged: Unmanaged = Unmanaged.REPORT
    """In gitops mode, what is done with workloads that no Application tracks: `report` or `patch`."""
    resync: float = Field(default=1800, ge=1, le=86400)
    """How often everything is looked at again, in seconds."""
    expiry: float = Field(default=300, ge=1, le=31536000)
    """How long an ImageBackup is kept after its last use, in seconds."""
    copies: int = Field(default=4, ge=1, le=100)
    """How many images are copied at a time."""
    copy_timeout: float = Field(default=300, ge=1, le=86400)
    """How long one copy may take, in seconds."""
    git_username: str | None = None
    """The user name for Git over HTTPS."""
    git_password: SecretStr | None = None
    """The password or token for Git over HTTPS; it is read once, at the start."""
    git_credentials: Path | None = None
    """A folder with the files `username` and `password`, or `ssh-privatekey` and `known_hosts`; they are read
    again when they change."""
    git_prefix: str | None = None
    """The URL prefix that the Git credentials are sent to; needed where there are credentials."""
    git_author_name: str = Field(default="gitops-backup", min_length=1, max_length=100)
    """The name of the commits' author."""
    git_author_email: str = Field(default="gitops-backup@localhost", min_length=3, max_length=200)
    """The e-mail address of the commits' author."""
    git_signing_key: Path | None = None
    """A file with the private key that signs every commit: an OpenPGP key, as `gpg --export-secret-keys
    --armor` writes it, or an SSH key; it is read once, at the start."""
    git_signing_passphrase: Path | None = None
    """A file whose first line is the passphrase of the OpenPGP key."""
    git_timeout: float = Field(default=120, ge=1, le=3600)
    """How long one fetch or push may take, in seconds."""
    kustomize: Path | None = None
    """The program that renders kustomizations; by default the one of this name on PATH."""
    helm: Path | None = None
    """The program that renders Helm charts; by default the one of this name on PATH."""
    jsonnet: Path | None = None
    """The program that evaluates jsonnet, that of go-jsonnet; by default the one of this name on PATH."""
    cache: Path = Field(default_factory=lambda: user_cache_path("gitops-backup"))
    """The folder for what can be made again: clones of repositories, the sandbox's programs."""
    listen: str = "0.0.0.0"  # noqa: S104, a pod's probes come from outside of it
    """The address that the probes and the metrics listen on."""
    probes_port: int = Field(default=8081, ge=0, le=65535)
    """The port of `/healthz` and `/readyz`; 0 takes a free one."""
    metrics_port: int = Field(default=8080, ge=0, le=65535)
    """The port of `/metrics`; 0 takes a free one."""

    def policy(self, *, mode: Mode, signing_keys: Collection[str] = ()) -> Policy:
        """The rules of decision; `signing_keys` are the ids of the OpenPGP key that signs commits.

        Raises `UsageError` where no backup repository is set, or where it is not clear which Applications
        deploy here.
        """
        if self.backup_repository is None:
            raise UsageError(
                "no backup repository is set",
                hint="set BACKUP_REPOSITORY, for example docker.io/acme",
            )
        if self.argocd_kubeconfig is not None and set(self.argocd_destinations) & set(THIS_CLUSTER):
            raise UsageError(
                f"with argocd_kubeconfig, {' and '.join(THIS_CLUSTER)} are another cluster than this one",
                hint="set argocd_destinations to what Argo CD calls this cluster",
            )
        try:
            naming = Naming.below(self.backup_repository, self.backup_names)
        except InvalidReference as error:
            raise UsageError(error.message, hint=error.hint) from error
        return Policy(
            mode=mode,
            naming=naming,
            backup_namespace=self.backup_namespace,
            restricted_namespaces=frozenset({*self.restricted_namespaces, self.backup_namespace}),
            argocd_namespaces=frozenset(self.argocd_namespaces),
            argocd_destinations=frozenset(self.argocd_destinations),
            trusted=tuple(Prefix.parse(text) for text in self.trusted_prefixes),
            exclusive=self.exclusive,
            unmanaged=self.unmanaged,
            signing_keys=frozenset(signing_keys),
        )


def load(*, file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """The settings of a run: `flags` (those that are not None) over the environment over the file.

    Raises `UsageError` in one line that names the key, for an unknown key and for a bad value.
    """
    given: dict[str, Any] = _from_file(file) if file is not None else {}
    given |= _from_environment(environment)
    given |= {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UsageError(f"there is no setting {key!r}", hint="see the table of settings") from error
        what = one_line(first["msg"].removeprefix("Value error, "))
        raise UsageError(f"the setting {key!r} is wrong: {what}") from error


def _from_file(file: Path) -> dict[str, Any]:
    try:
        content = _yaml(file.read_bytes(), f"the settings file {file}")
    except OSError as error:
        raise UsageError(f"the settings file {file} cannot be read: {error.strerror}") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UsageError(f"the settings file {file} is not a mapping of names to values")
    return content


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    earlier = {"BACKUP_REPOSITORY", "BACKUP_REPOSITORY_USERNAME", "BACKUP_REPOSITORY_PASSWORD"}
    for name in sorted(earlier):
        if environment.get(name):
            given[name.lower()] = environment[name]
    for name, value in sorted(environment.items()):
        if name.startswith(ENVIRONMENT_PREFIX) and value:
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower()
            given[key] = _yaml(value, f"the setting {key!r}") if key in STRUCTURED else value
    return given


def _yaml(text: str | bytes, what: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        # the error quotes the text, which may hold passwords
        raise UsageError(f"{what} is not YAML{where}") from None
