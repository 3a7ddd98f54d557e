"""An Argo CD Application, reduced to what the Git side rests on.

The fields are those of Argo CD 3 (pkg/apis/application/v1alpha1/types.go). Thousands of Applications are kept
in memory, each with hundreds of resources in its status: only Deployments and DaemonSets are kept of these.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.policy import THIS_CLUSTER
from gitops_backup.domain.unheeded import Unheeded
from gitops_backup.domain.workloads import Kind, Workload, WorkloadKey
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.declarations import Declaration
from gitops_backup.sources.differences import ignored_images
from gitops_backup.sources.directory import DirectoryOptions
from gitops_backup.sources.helm.options import HelmBlock
from gitops_backup.sources.jsonnet.options import JsonnetBlock
from gitops_backup.sources.kustomize.options import KustomizeOptions
from gitops_backup.sources.objects import Object, list_of, part_of, parts_of, text_of
from gitops_backup.sources.replacements import ObjectId
from gitops_backup.sources.tracking import Tracking, TrackingId

REFRESH_ANNOTATION = "argocd.argoproj.io/refresh"
HYDRATE_ANNOTATION = "argocd.argoproj.io/hydrate"
BRANCH_ANNOTATION = "k8slab.io/image-backup-branch"
IN_CLUSTER_SERVER, IN_CLUSTER_NAME = THIS_CLUSTER


class PinnedRevision(GitopsBackupError):
    """A revision that nothing can be pushed to: a commit, a tag, a range of versions."""


@dataclass(frozen=True, slots=True)
class Override:
    """What the live Application sets itself, which may be an image; what it says may also be a secret."""

    place: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Where an Application's manifests come from.

    `index` counts from 0 in `spec.sources`; `blocks` are the kinds of source that it names itself, in the
    order in which Argo CD looks for them. The URL may hold a password, and is not printed. `place` is where
    the Application says all this, and `said` what it says, as JSON. `declared` is where that is written,
    where it is in a file of the commit that is looked at. Where the Application is annotated with the branch
    that its releases are made from, `target_revision` is that branch, and `released` what is deployed.
    """

    index: int
    repo_url: str = field(repr=False)
    path: str
    target_revision: str
    chart: str
    ref: str
    blocks: tuple[str, ...]
    directory: DirectoryOptions
    helm: HelmBlock
    kustomize: KustomizeOptions
    overrides: tuple[Override, ...]
    place: str = "spec.source"
    said: str = field(default="{}", repr=False, compare=False)
    declared: Declaration | None = None
    released: str = ""

    @classmethod
    def project(
        cls, said: Object, *, index: int = 0, place: str, declared: Declaration | None = None
    ) -> Self:
        """The projection of a source; what is missing, or of another type, reads as unset."""
        directory = part_of(said, "directory")
        return cls(
            index=index,
            repo_url=text_of(said, "repoURL"),
            path=text_of(said, "path"),
            target_revision=text_of(said, "targetRevision"),
            chart=text_of(said, "chart"),
            ref=text_of(said, "ref"),
            blocks=tuple(block for block in _BLOCKS if _is_said(said.get(block), block)),
            directory=DirectoryOptions(
                recurse=bool(directory.get("recurse")),
                include=text_of(directory, "include"),
                exclude=text_of(directory, "exclude"),
                any_extension=bool(directory.get("disableExtensionFilter")),
                jsonnet=JsonnetBlock.project(
                    part_of(directory, "jsonnet"), place=f"{place}.directory.jsonnet"
                ),
            ),
            helm=HelmBlock.project(part_of(said, "helm"), place=f"{place}.helm"),
            kustomize=KustomizeOptions.project(part_of(said, "kustomize"), place=f"{place}.kustomize"),
            overrides=tuple(_overrides(said, place)),
            place=place,
            said=json.dumps(said, default=str),
            declared=declared,
        )

    @property
    def repository(self) -> str:
        """The repository, in one form for all ways to write its URL, and without user name and password."""
        return normalised(self.repo_url)

    @property
    def specification(self) -> Object:
        """What the Application says of it."""
        said: Object = json.loads(self.said)
        return said

    @property
    def has_parameters(self) -> bool:
        """Whether the Application says values or images of its own."""
        return bool(self.helm.values or self.helm.parameters or self.kustomize.images)

    def overriding(self, image: Reference) -> Override | None:
        """The first override that sets this image, or another version of it."""
        return next((o for o in self.overrides if _concerns(o, image)), None)


@dataclass(frozen=True, slots=True)
class Application:
    """An Application.

    `instance` is its name in tracking ids, `home` the namespace of the Argo CD that it belongs to. Where it
    deploys to the cluster that is looked at, it is `in_cluster`, and `workloads` are those that its status
    lists. `sources` are in the order of the specification, or, where `hydrated`, the one source that a source
    hydrator renders from: it alone may be edited. `source_types` and `revisions`, the kinds and the commits
    that were last compared, have one entry per source where they are known; of one that is `hydrated`, the
    commits are those that it was rendered from. `failure` says why the last sync failed. Differences in the
    `ignored` images are hidden from comparisons, and, where `keeps_ignored`, left alone by syncs, too.
    `generator` is the ApplicationSet in its namespace that generates it, and `sets` are those that its status
    lists.

    `children` are the namespaces and names of the Applications that its status lists; `tracker` is the
    instance by whose word it is itself one of another's. `declarers` are sources of others that may have it.
    """

    namespace: str
    name: str
    instance: str
    home: str
    app_project: str
    in_cluster: bool
    destination_server: str
    destination_cluster: str
    destination_namespace: str
    sources: tuple[Source, ...]
    hydrated: bool
    automated: bool
    self_heal: bool
    workloads: frozenset[WorkloadKey]
    source_types: tuple[str, ...]
    synced: bool
    revisions: tuple[str, ...]
    refresh_pending: bool
    syncing: bool
    failure: str
    ignored: tuple[Unheeded, ...]
    keeps_ignored: bool
    generator: str = ""
    sets: frozenset[tuple[str, str]] = frozenset()
    children: frozenset[tuple[str, str]] = frozenset()
    tracker: str = ""
    declarers: tuple["Declarer", ...] = ()

    @classmethod
    def project(
        cls,
        obj: Object,
        *,
        argocd_namespace: str = "argocd",
        destinations: Collection[str] = THIS_CLUSTER,
    ) -> Self:
        """The projection of an Application from the API or from a file; what is missing reads as unset.

        `argocd_namespace` is where Argo CD runs, where the Application's status does not say it;
        `destinations` are the names and addresses that Argo CD has for the cluster that is looked at.
        """
        metadata, spec, status = part_of(obj, "metadata"), part_of(obj, "spec"), part_of(obj, "status")
        sync, destination = part_of(status, "sync"), part_of(spec, "destination")
        operation, annotations = part_of(status, "operationState"), part_of(metadata, "annotations")
        hydrated = bool(part_of(spec, "sourceHydrator"))
        automated, self_heal = _automation(part_of(spec, "syncPolicy").get("automated"))
        branch = text_of(annotations, BRANCH_ANNOTATION)
        namespace, name = text_of(metadata, "namespace") or argocd_namespace, text_of(metadata, "name")
        home = text_of(status, "controllerNamespace") or argocd_namespace
        in_cluster = (
            text_of(destination, "server") in destinations or text_of(destination, "name") in destinations
        )
        return cls(
            namespace=namespace,
            name=name,
            instance=name if namespace == home else f"{namespace}_{name}",
            home=home,
            app_project=text_of(spec, "project") or "default",
            in_cluster=in_cluster,
            destination_server=text_of(destination, "server"),
            destination_cluster=text_of(destination, "name"),
            destination_namespace=text_of(destination, "namespace"),
            sources=tuple(_from_branch(each, branch) for each in _sources(spec)),
            hydrated=hydrated,
            automated=automated,
            self_heal=self_heal,
            workloads=frozenset(_workloads(status) if in_cluster else ()),
            source_types=_one_or_many(status, "sourceType"),
            synced=text_of(sync, "status") == "Synced",
            revisions=_dry_revisions(status) if hydrated else _one_or_many(sync, "revision"),
            refresh_pending=(HYDRATE_ANNOTATION if hydrated else REFRESH_ANNOTATION) in annotations,
            syncing="operation" in obj or text_of(operation, "phase") == "Running",
            failure=_failure(operation),
            ignored=tuple(ignored_images(list_of(spec, "ignoreDifferences"), "spec.ignoreDifferences")),
            keeps_ignored=_KEEPING_IGNORED in list_of(part_of(spec, "syncPolicy"), "syncOptions"),
            generator=_generator(metadata),
            sets=frozenset(_children(status, "ApplicationSet")),
            children=frozenset(_children(status, "Application")),
            tracker=_tracker(text_of(annotations, _TRACKING_ANNOTATION), namespace, name),
        )

    def is_named_by(self, workload: Workload, tracking: Tracking) -> bool:
        """Whether a workload names it as its own, where Argo CD goes by `tracking`."""
        return self.in_cluster and tracking.instance(workload) == self.instance

    @property
    def at_home(self) -> bool:
        """Whether it deploys to the cluster that Argo CD runs in, where Applications are."""
        return self.destination_server in THIS_CLUSTER or self.destination_cluster in THIS_CLUSTER

    def specified(self) -> Self:
        """The Application without what Argo CD says of its progress, on which no rendering rests."""
        return replace(
            self,
            workloads=frozenset(),
            synced=False,
            revisions=(),
            refresh_pending=False,
            syncing=False,
            failure="",
            children=frozenset(),
            sets=frozenset(),
            declarers=(),
        )

    def source_type(self, source: Source) -> str:
        """The kind of source that Argo CD found at the last comparison; empty where that is not known."""
        known = self.source_types
        return known[source.index] if source.index < len(known) else ""


class Declarer(NamedTuple):
    """A source of an Application that may have the manifest of another one."""

    application: Application
    source: Source


def owner_of(
    workload: Workload, applications: Iterable[Application], *, tracking: Callable[[Application], Tracking]
) -> Application | None:
    """Which of these Applications a workload belongs to: one whose status lists it, or that it names itself.

    Where several list it, it belongs to the one that it names, which is the one that was synced last. The
    status lists all that the Application's sources have, also what another Argo CD deploys, and says so. An
    Application that is named alone may be one of another Argo CD.
    """

    def has(application: Application) -> bool:
        known = tracking(application)
        if workload.key in application.workloads:
            return not known.is_foreign(workload)
        return known.is_ours(workload) and application.is_named_by(workload, known)

    def rank(application: Application) -> tuple[bool, str, str]:
        named = application.is_named_by(workload, tracking(application))
        return not named, application.namespace, application.name

    return min((each for each in applications if has(each)), key=rank, default=None)


def writable_branch(target_revision: str) -> str | None:
    """The branch that a source follows; None stands for the repository's default branch.

    Raises `PinnedRevision` for what cannot be a branch. A name that is left may still turn out to be a tag:
    only the repository knows. What looks like a commit or a range of versions, and is a branch, has to be
    written as `refs/heads/...` (Argo CD's util/git/client.go and util/versions/tags.go).
    """
    if target_revision in ("", "HEAD"):
        return None
    if target_revision.startswith("refs/heads/"):
        return target_revision.removeprefix("refs/heads/")
    for pattern, what in _NO_BRANCH:
        if pattern.fullmatch(target_revision):
            raise PinnedRevision(
                f"targetRevision {one_line(target_revision)} is {what}, which cannot be pushed to",
                hint="follow a branch; one that is called so is written refs/heads/...",
            )
    return target_revision


def normalised(repo_url: str) -> str:
    """A repository's URL in one form: ssh for scp's, a host in lower case, no `.git`, no password.

    Argo CD compares whole URLs without regard to case (NormalizeGitURL in util/git/git.go); paths keep it
    here, because what is told apart by a server must not be pushed to by mistake.
    """
    url = repo_url.strip()
    scp = _SCP.fullmatch(url)
    if scp is not None:
        url = f"ssh://{scp[1]}/{scp[2]}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    user, at, host = parts.netloc.rpartition("@")
    keep_user = f"{user.partition(':')[0]}{at}" if parts.scheme == "ssh" else ""
    path = parts.path.rstrip("/").removesuffix(".git").rstrip("/")
    return parts._replace(netloc=keep_user + host.lower(), path=path, query="", fragment="").geturl()


def _sources(spec: Object) -> Iterable[Source]:
    hydrator, many, one = part_of(spec, "sourceHydrator"), parts_of(spec, "sources"), part_of(spec, "source")
    if hydrator:
        yield Source.project(part_of(hydrator, "drySource"), place="spec.sourceHydrator.drySource")
    elif many:
        for index, source in enumerate(many):
            yield Source.project(source, index=index, place=f"spec.sources[{index}]")
    elif one:
        yield Source.project(one, place="spec.source")


def _from_branch(source: Source, branch: str) -> Source:
    """The source as it is on the branch that its releases are made from, where it follows one of these."""
    if not branch or source.chart or source.repo_url.startswith("oci://"):
        return source
    try:
        writable_branch(source.target_revision)
    except PinnedRevision:
        pass
    else:
        if not _VERSION.match(source.target_revision):
            return source
    return replace(source, target_revision=f"refs/heads/{branch}", released=source.target_revision)


def _is_said(block: object, name: str) -> bool:
    """Whether a block counts: Argo CD passes over one that says nothing (NormalizeSource in util/argo)."""
    if name == "plugin":
        return block is not None
    said = block if isinstance(block, Mapping) else {}
    # an object of values takes the place of a text even where it is empty
    return isinstance(said.get("valuesObject"), Mapping) or any(
        _says_something(value) for key, value in said.items() if key not in _SAY_NOTHING_ALONE
    )


def _says_something(value: object) -> bool:
    return any(map(_says_something, value.values())) if isinstance(value, Mapping) else bool(value)


def _overrides(source: Object, place: str) -> Iterable[Override]:
    for number, image in enumerate(list_of(part_of(source, "kustomize"), "images")):
        yield Override(f"{place}.kustomize.images[{number}]", str(image))
    for parameter in parts_of(part_of(source, "helm"), "parameters"):
        yield Override(f"{place}.helm.parameters[{text_of(parameter, 'name')}]", text_of(parameter, "value"))


def _concerns(override: Override, image: Reference) -> bool:
    """Whether an override sets an image's name: a whole reference, or kustomize's `name=new-name:tag`."""
    for text in override.value.split("=", 1):
        try:
            if Reference.parse(text).name == image.name:
                return True
        except InvalidReference:
            continue
    return False


def _automation(automated: object) -> tuple[bool, bool]:
    """Whether Argo CD syncs by itself, and whether it undoes what others change."""
    if not isinstance(automated, Mapping) or automated.get("enabled") is False:
        return False, False
    return True, bool(automated.get("selfHeal"))


def _generator(metadata: Object) -> str:
    owners = (each for each in parts_of(metadata, "ownerReferences") if each.get("kind") == "ApplicationSet")
    return next((text_of(each, "name") for each in owners if each.get("controller") is True), "")


def _failure(operation: Object) -> str:
    if text_of(operation, "phase") not in ("Failed", "Error"):
        return ""
    return one_line(text_of(operation, "message"), limit=_LONGEST_FAILURE) or "no message"


def _workloads(status: Object) -> Iterable[WorkloadKey]:
    for resource in parts_of(status, "resources"):
        if resource.get("group") == "apps" and resource.get("kind") in _KINDS:
            yield WorkloadKey(resource["kind"], text_of(resource, "namespace"), text_of(resource, "name"))


def _dry_revisions(status: Object) -> tuple[str, ...]:
    """The commits that a hydrator has seen (SourceHydratorStatus in Argo CD's types.go)."""
    hydrator = part_of(status, "sourceHydrator")
    operations = part_of(hydrator, "currentOperation"), part_of(hydrator, "lastSuccessfulOperation")
    found = [text_of(each, "drySHA") for each in operations if text_of(each, "phase") != "Hydrating"]
    return tuple(
        dict.fromkeys(each for each in (*found, text_of(hydrator, "lastComparedDryRevision")) if each)
    )


def _children(status: Object, kind: str) -> Iterable[tuple[str, str]]:
    for resource in parts_of(status, "resources"):
        if resource.get("group") == _GROUP and resource.get("kind") == kind:
            yield text_of(resource, "namespace"), text_of(resource, "name")


def _tracker(tracking_id: str, namespace: str, name: str) -> str:
    """The instance that tracks an Application, where its tracking id is its own."""
    tracking = TrackingId.parse(tracking_id)
    own = ObjectId(_GROUP, "Application", namespace, name)
    return tracking.instance if tracking is not None and tracking.tracked == own else ""


def _one_or_many(obj: Object, key: str) -> tuple[str, ...]:
    many, one = list_of(obj, f"{key}s"), text_of(obj, key)
    return tuple(str(each) for each in many) if many else (one,) if one else ()


_GROUP = "argoproj.io"
_TRACKING_ANNOTATION = "argocd.argoproj.io/tracking-id"
_BLOCKS = ("kustomize", "helm", "directory", "plugin")
_SAY_NOTHING_ALONE = frozenset(
    {
        "commonAnnotationsEnvsubst",
        "forceCommonAnnotations",
        "forceCommonLabels",
        "labelIncludeTemplates",
        "labelWithoutSelector",
    }
)
_KINDS = frozenset(Kind)
_LONGEST_FAILURE = 150
_VERSION = re.compile(r"v?[0-9]+\.[0-9]", re.ASCII)
_KEEPING_IGNORED = "RespectIgnoreDifferences=true"
_SCP = re.compile(r"((?:[^/:@]+@)?[^/:@]+):(?!//)(.+)")
_NO_BRANCH = (
    (re.compile(r"[0-9A-Fa-f]{7,}"), "a commit"),
    (re.compile(r"refs/tags/.*", re.DOTALL), "a tag"),
    (re.compile(r"refs/.*", re.DOTALL), "no branch"),
    (re.compile(r".*[<>=!~^*|,\s].*", re.DOTALL), "a range of versions"),
    (re.compile(r"v?(?:[0-9]+\.){0,2}[xX](?:\.[xX]){0,2}"), "a range of versions"),
)
