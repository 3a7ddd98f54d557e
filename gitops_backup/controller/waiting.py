"""Why Argo CD has not brought into the cluster what Git says already."""

from datetime import datetime

from gitops_backup.controller.parts import Part
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.unheeded import Unheeded
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application
from gitops_backup.sources.projects import Destination, Project


def release_awaited(part: Part) -> str | None:
    """What an Application deploys until somebody releases what is on the branch; None where it follows it."""
    released = next((source.released for source in part.sources if source.released), None)
    if released is None:
        return None
    name = f"{part.application.namespace}/{part.application.name}"
    return f"the Application {name} deploys {one_line(released)} until somebody releases it"


def awaited(reason: Reason, part: Part) -> Reason:
    """What Git is ahead of waits for a release where there is one to be made, and not for a sync."""
    waits = reason == Reason.AWAITING_SYNC and release_awaited(part) is not None
    return Reason.AWAITING_RELEASE if waits else reason


def why_not_synced(
    application: Application, project: Project | None, *, hidden: Unheeded | None = None, now: datetime
) -> str:
    """What an Application of a project waits for: the rest of a sentence that begins with it.

    What is `hidden` of what it waits for does not count when it is compared.
    """
    if project is not None:
        destination = Destination(
            application=application.name,
            server=application.destination_server,
            cluster=application.destination_cluster,
            namespace=application.destination_namespace,
        )
        closed = project.closed_by(destination, manual=not application.automated, now=now)
        if closed is not None:
            state = "is open" if closed.kind == "deny" else "is not open"
            return f"cannot be synced now: the window {closed} of the project {project.name} {state}"
    if application.failure:
        return f"could not be synced: {application.failure}"
    if application.synced and hidden is not None:
        field = f"{hidden.field} of {hidden.place}" if hidden.place else f"its {hidden.field}"
        return f"is Synced to Argo CD, as {field} hides the difference: sync it by hand"
    return "is not synced yet" if application.automated else "is synced by hand, and was not since"
