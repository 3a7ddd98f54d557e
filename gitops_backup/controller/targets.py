"""Where in Git an Application's sources can be written, and why others cannot."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from gitops_backup.controller.parts import Part
from gitops_backup.domain.planning import Management, Target
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, PinnedRevision, Source, writable_branch
from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.places import has_manifests, owner_of
from gitops_backup.sources.projects import Project

_BY_DEFAULT = ArgoCd()


def management(
    application: Application,
    project: Project | None = None,
    *,
    argocd: ArgoCd = _BY_DEFAULT,
    signing_keys: Collection[str] = (),
) -> Management:
    """What an Application, of a project and an Argo CD, means for the workloads that it tracks.

    `signing_keys` are the ids of the OpenPGP key that commits are signed with.
    """

    def signed(source: Source) -> Target:
        target = target_of(application, source)
        missing = _signature_missing(
            application, owner_of(application, source).repo_url, project, signing_keys
        )
        if missing is None or target.blocked is not None:
            return target
        return replace(target, blocked=Reason.SIGNATURE_REQUIRED, message=missing)

    return Management(
        application=f"{application.namespace}/{application.name}",
        self_heal=application.automated and application.self_heal,
        targets=(
            *(signed(source) for source in application.sources if has_manifests(source)),
            *(branch_of(each.source) for each in application.declarers),
        ),
        unheeded=(*application.ignored, *argocd.ignored) if application.keeps_ignored else (),
    )


def target_of(application: Application, source: Source) -> Target:
    """The repository and branch that a source is edited on, or what is in the way."""
    return branch_of(owner_of(application, source))


def branch_of(source: Source) -> Target:
    """The repository and branch that a source names itself, or what is in the way."""
    if source.chart or source.repo_url.startswith("oci://"):
        what = f"the chart {one_line(source.chart)}" if source.chart else "the source"
        message = f"{what} comes from {one_line(source.repository)}, which is not in Git, nor are its values"
        return Target(source.repository, None, blocked=Reason.UNSUPPORTED_SOURCE, message=message)
    try:
        branch = writable_branch(source.target_revision)
    except PinnedRevision as error:
        return Target(source.repository, None, blocked=Reason.PINNED_REVISION, message=str(error))
    return Target(source.repository, branch, url=source.repo_url)


def signature_missing(
    parts: Iterable[Part], project_of: Callable[[Application], Project | None], signing_keys: Collection[str]
) -> str | None:
    """Why a commit on the branch that all of these are deployed from would be taken for forged; else None.

    It is the branch's head that Argo CD verifies, for each Application that follows it, whoever a change is
    for.
    """
    for part in parts:
        project = project_of(part.application)
        for url in sorted({place.url for place in part.places_here}):
            missing = _signature_missing(part.application, url, project, signing_keys)
            if missing is not None:
                return missing
    return None


def _signature_missing(
    application: Application, repo_url: str, project: Project | None, signing_keys: Collection[str]
) -> str | None:
    wanted = project.signature_keys(repo_url) if project is not None else None
    if project is None or wanted is None or not wanted.isdisjoint(signing_keys):
        return None
    who = " or ".join(one_line(key) for key in sorted(wanted)) or "a key that it does not name"
    ours = f"is {' and '.join(sorted(signing_keys))}" if signing_keys else "names no OpenPGP key"
    return (
        f"the project {one_line(project.name)} of the Application {application.namespace}/{application.name}"
        f" takes commits that {who} signed, and git_signing_key {ours}"
    )
