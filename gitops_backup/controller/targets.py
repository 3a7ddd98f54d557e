"""Where in Git an Application's sources can be written, and why others cannot."""

from gitops_backup.domain.planning import Management, Target
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, PinnedRevision, Source, writable_branch
from gitops_backup.sources.places import has_manifests, owner_of


def management(application: Application) -> Management:
    """What an Application means for the workloads that it tracks."""
    deploying = (source for source in application.sources if has_manifests(source))
    return Management(
        application=f"{application.namespace}/{application.name}",
        self_heal=application.automated and application.self_heal,
        targets=tuple(target_of(application, source) for source in deploying),
    )


def target_of(application: Application, source: Source) -> Target:
    """The repository and branch that a source is edited on, or what is in the way."""
    return branch_of(owner_of(application, source))


def branch_of(source: Source) -> Target:
    """The repository and branch that a source names itself, or what is in the way."""
    if source.chart or source.repo_url.startswith("oci://"):
        what = f"the chart {one_line(source.chart)}" if source.chart else "the source"
        message = (
            f"{what} comes from {one_line(source.repository)}, which is not in Git, and no value file that is"
        )
        return Target(source.repository, None, blocked=Reason.UNSUPPORTED_SOURCE, message=message)
    try:
        branch = writable_branch(source.target_revision)
    except PinnedRevision as error:
        return Target(source.repository, None, blocked=Reason.PINNED_REVISION, message=str(error))
    return Target(source.repository, branch, url=source.repo_url)
