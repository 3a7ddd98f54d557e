"""Where in Git an Application's sources can be written, and why others cannot."""

from gitops_backup.domain.planning import Management, Target
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, PinnedRevision, Source, writable_branch


def management(application: Application) -> Management:
    """What an Application means for the workloads that it tracks."""
    return Management(
        application=f"{application.namespace}/{application.name}",
        self_heal=application.automated and application.self_heal,
        targets=tuple(target_of(source) for source in application.sources),
    )


def target_of(source: Source) -> Target:
    """The repository and branch of a source, or what is in the way."""
    if source.chart or source.repo_url.startswith("oci://"):
        message = f"the chart {one_line(source.chart)} comes from a chart repository, which is not in Git"
        return Target(source.repository, None, blocked=Reason.UNSUPPORTED_SOURCE, message=message)
    try:
        branch = writable_branch(source.target_revision)
    except PinnedRevision as error:
        return Target(source.repository, None, blocked=Reason.PINNED_REVISION, message=str(error))
    return Target(source.repository, branch, url=source.repo_url)
