"""The plan that follows from a Git repository alone: what a cluster would look like that deploys from it.

Each source is rendered to learn which workloads it has. They are taken to be rolled out, and every image to
be copied, unless somebody is asked; from there on the decisions are those of `planning`, as ever. Each
Application is planned for by itself: several may deploy what has the same name, each to another cluster.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.journal import Journal
from gitops_backup.controller.parts import Part
from gitops_backup.controller.reading import RENDERED_AT_A_TIME, Elsewhere, Readable, Reading, read_sources
from gitops_backup.controller.targets import management
from gitops_backup.domain.backups import Condition, ConditionType, ImageBackup, Phase, Spec, Status
from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.planning import Plan, WorkloadPlan, plan
from gitops_backup.domain.policy import Policy
from gitops_backup.domain.workloads import ANNOTATION, Container, Kind, Rollout, Workload, WorkloadKey
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application
from gitops_backup.sources.deployed import deployed_by
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendered import Rendered, images_of
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import ObjectId

Held = Callable[[Reference], str | None]
"""The digest that the backup registry has under a name; None where it has none."""

_SOME_DIGEST = f"sha256:{0:064}"


@dataclass(frozen=True, slots=True)
class Offline:
    """A plan without a cluster, what it rests on, and what could not be looked at.

    `inventory` has all Applications and ImageBackups, and no workload.
    """

    plan: Plan
    inventory: Inventory
    problems: tuple[str, ...]


def plan_offline(
    repository: Readable,
    commit: str,
    applications: Sequence[Application],
    *,
    policy: Policy,
    renderer: Renderer,
    held: Held | None = None,
    here: frozenset[Place] | None = None,
    elsewhere: Elsewhere | None = None,
) -> Offline:
    """What is to be done with the workloads of Applications that are deployed from this commit.

    `here` are the places that the commit stands for, by default those of all sources; `elsewhere` has what
    is at others. `held` tells which copies are there; without it, all are. Raises what reading the repository
    raises, and what `held` raises.
    """
    parts = [Part(application, application.sources, (), here=here) for application in applications]
    reading = read_sources(repository, commit, parts, elsewhere=elsewhere)
    known = _Known(policy, held)
    everything = _inventory(policy)
    planned: list[WorkloadPlan] = []
    problems: list[str] = []
    for application, objects, unknown in _deployed(reading, parts, renderer):
        who = f"{application.namespace}/{application.name}"
        problems += (f"{one_line(who)}: {problem}" for problem in unknown)
        workloads = tuple(_workloads(objects))
        listing = replace(application, workloads=frozenset(each.key for each in workloads))
        backups = known.of(workloads)
        alone = _inventory(policy)
        for inventory in (alone, everything):
            inventory.put_application((listing.namespace, listing.name), listing)
            for backup in backups:
                inventory.put_backup(backup.name, backup)
        for each in workloads:
            alone.put_workload(each.key, each)
        for name, directive in _directives(objects).items():
            alone.put_namespace(name, directive)
        planned += plan(alone, policy).workloads
    planned.sort(key=lambda each: (each.workload.key, each.management.application if each.management else ""))
    return Offline(Plan(tuple(planned)), everything, tuple(problems))


def _inventory(policy: Policy) -> Inventory:
    return Inventory(policy, Journal(lambda: datetime.now(UTC)), manage=management)


def _deployed(
    reading: Reading, parts: Sequence[Part], renderer: Renderer
) -> Iterable[tuple[Application, tuple[Rendered, ...], list[str]]]:
    """What each Application deploys, and what is not known of it."""

    def render(application: Application) -> tuple[Application, tuple[Rendered, ...], list[str]]:
        # of an object's copies the last holds
        objects: dict[ObjectId, Rendered] = {}
        problems: list[str] = []
        for source in application.sources:
            found = deployed_by(
                application,
                source,
                tree=reading.tree,
                contents=reading.contents,
                unread=reading.refused,
                mounts=reading.mounts,
                renderer=renderer,
            )
            objects |= {each.identity: each for each in found.objects}
            problems += found.problems
        return application, tuple(objects.values()), problems

    with ThreadPoolExecutor(RENDERED_AT_A_TIME) as pool:
        return list(pool.map(render, (part.application for part in parts)))


def _workloads(objects: Iterable[Rendered]) -> Iterable[Workload]:
    for each in objects:
        identity = each.identity
        if identity.group != "apps" or identity.kind not in _KINDS:
            continue
        containers = tuple(
            Container(name=image.container, image=image.text, init=image.init, index=_number(image.steps))
            for image in images_of([each])
        )
        yield Workload(
            key=WorkloadKey(identity.kind, identity.namespace, identity.name),
            uid="",
            containers=containers,
            rollout=Rollout.COMPLETE,
            available=True,
            scaled_to_zero=False,
            paused=False,
            deleting=False,
            owner=None,
            directive=_directive(each),
            tracking_id=None,
        )


def _number(steps: Sequence[str | int]) -> int:
    return next(step for step in reversed(steps) if isinstance(step, int))


def _directives(objects: Iterable[Rendered]) -> dict[str, str]:
    """What namespaces that are deployed, too, say about themselves."""
    found = {o.identity.name: _directive(o) for o in objects if o.identity[:2] == ("", "Namespace")}
    return {name: directive for name, directive in found.items() if directive is not None}


def _directive(of: Rendered) -> str | None:
    metadata = of.content.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    value = annotations.get(ANNOTATION) if isinstance(annotations, Mapping) else None
    return value if isinstance(value, str) else None


class _Known:
    """The ImageBackups of images that are taken to be copied, or found to be; each is asked for once."""

    def __init__(self, policy: Policy, held: Held | None) -> None:
        self._policy = policy
        self._held = held
        self._backups: dict[Reference, ImageBackup | None] = {}

    def of(self, workloads: Iterable[Workload]) -> list[ImageBackup]:
        """Those of the images that these workloads name, as sources or as backups."""
        texts = (container.image for workload in workloads for container in workload.containers)
        sources = {source for text in texts if (source := self._source(text)) is not None}
        found = [self._backup(source) for source in sorted(sources)]
        return [backup for backup in found if backup is not None]

    def _source(self, text: str) -> Reference | None:
        try:
            image = Reference.parse(text)
        except InvalidReference:
            return None
        naming = self._policy.naming
        source = naming.source(image) if naming.is_backup(image) else image
        if source is None or naming.is_backup(source) or self._policy.trusts(source):
            return None
        return source

    def _backup(self, source: Reference) -> ImageBackup | None:
        if source not in self._backups:
            self._backups[source] = self._found(source)
        return self._backups[source]

    def _found(self, source: Reference) -> ImageBackup | None:
        naming = self._policy.naming
        wanted = source.digest or _SOME_DIGEST
        digest = wanted if self._held is None else self._held(naming.place(source, wanted))
        if digest is None or (source.digest is not None and digest != source.digest):
            return None
        verified = Condition(type=ConditionType.VERIFIED, status="True", reason="Assumed")
        return ImageBackup(
            namespace=self._policy.backup_namespace,
            name=object_name(source),
            uid="",
            resource_version="",
            generation=0,
            deleting=False,
            image=source,
            spec=Spec(image=str(source)),
            status=Status(
                phase=Phase.DONE,
                backup=str(naming.backup(source)),
                digest=digest,
                conditions=(verified,),
            ),
        )


_KINDS = frozenset(Kind)
