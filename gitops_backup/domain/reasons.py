"""Why something was not copied, not rewritten, or left alone: one name each, and what to do about it.

The same names stand in conditions, events, metrics, reports and the documentation; the documentation's table
is made from here. What happens next to a failed copy follows from its reason alone (see `backups.retry_in`).
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """A reason as it is written everywhere, in the CamelCase that Kubernetes uses for reasons."""

    # A copy
    SOURCE_NOT_FOUND = "SourceNotFound"
    SOURCE_AUTH_FAILED = "SourceAuthFailed"
    DESTINATION_AUTH_FAILED = "DestinationAuthFailed"
    RATE_LIMITED = "RateLimited"
    SOURCE_UNAVAILABLE = "SourceUnavailable"
    DESTINATION_UNAVAILABLE = "DestinationUnavailable"
    PLATFORM_MISSING = "PlatformMissing"
    DIGEST_MISMATCH = "DigestMismatch"
    NAME_CONFLICT = "NameConflict"
    QUOTA_EXCEEDED = "QuotaExceeded"
    INVALID_REFERENCE = "InvalidReference"
    TAG_MOVED = "TagMoved"

    # A workload that is left alone
    RESTRICTED_NAMESPACE = "RestrictedNamespace"
    IGNORED = "Ignored"
    OWNED_BY_CONTROLLER = "OwnedByController"
    DELETING = "Deleting"
    ROLLOUT_PAUSED = "RolloutPaused"
    SCALED_TO_ZERO = "ScaledToZero"
    NOT_READY = "NotReady"
    ROLLING_OUT = "RollingOut"
    CONTROLLER_PAUSED = "ControllerPaused"

    # An image that is not rewritten, or not yet
    BACKUP_PENDING = "BackupPending"
    SELF_HEAL = "SelfHeal"
    NOT_IN_GIT = "NotInGit"
    UNSUPPORTED_SOURCE = "UnsupportedSource"
    RENDER_FAILED = "RenderFailed"
    PINNED_REVISION = "PinnedRevision"
    NOT_FOUND_IN_SOURCE = "NotFoundInSource"
    INVALID_MANIFEST = "InvalidManifest"
    SHARED_SCALAR = "SharedScalar"
    PROOF_FAILED = "ProofFailed"
    OVERRIDDEN = "Overridden"
    CLUSTERS_DIFFER = "ClustersDiffer"
    SIGNATURE_REQUIRED = "SignatureRequired"
    AWAITING_SYNC = "AwaitingSync"
    AWAITING_RELEASE = "AwaitingRelease"
    AWAITING_MERGE = "AwaitingMerge"
    PULL_REQUEST_CLOSED = "PullRequestClosed"
    BRANCH_IN_USE = "BranchInUse"
    ROLLED_BACK = "RolledBack"
    CONTESTED = "Contested"
    REPOSITORY_UNAVAILABLE = "RepositoryUnavailable"
    DOWNLOAD_NOT_ALLOWED = "DownloadNotAllowed"
    DOWNLOAD_FAILED = "DownloadFailed"
    CHART_NOT_FOUND = "ChartNotFound"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a reason means and what a person can do: a sentence each."""

    meaning: str
    remedy: str


EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.SOURCE_NOT_FOUND: Explanation(
        "The source registry has no such image (any more).",
        "Push the image again, or change the workload to an image that exists.",
    ),
    Reason.SOURCE_AUTH_FAILED: Explanation(
        "The source registry refuses to hand the image out.",
        "List the registry and its credentials in the source credentials; no restart is needed.",
    ),
    Reason.DESTINATION_AUTH_FAILED: Explanation(
        "The backup registry refuses the credentials.",
        "Put a user name and password that may push into the backup registry's Secret; no restart is needed.",
    ),
    Reason.RATE_LIMITED: Explanation(
        "The registry asks for fewer requests; nothing is sent to it until the time it named.",
        "Wait, or use credentials with a higher limit.",
    ),
    Reason.SOURCE_UNAVAILABLE: Explanation(
        "The source registry cannot be reached, or answers with errors of its own.",
        "Nothing, if it passes; otherwise look at the network between the cluster and the registry.",
    ),
    Reason.DESTINATION_UNAVAILABLE: Explanation(
        "The backup registry cannot be reached, or answers with errors of its own.",
        "Nothing, if it passes; otherwise look at the backup registry.",
    ),
    Reason.PLATFORM_MISSING: Explanation(
        "The image lacks a platform that was asked for.",
        "Publish the image for that platform, or ask for fewer platforms.",
    ),
    Reason.DIGEST_MISMATCH: Explanation(
        "What the registry served is not what it had promised.",
        "Look at the registry, or at a proxy in front of it.",
    ),
    Reason.NAME_CONFLICT: Explanation(
        "The name in the backup registry already holds something else.",
        "Remove that tag from the backup registry, or use a backup prefix of its own.",
    ),
    Reason.QUOTA_EXCEEDED: Explanation(
        "The backup registry is full.",
        "Make room in the backup registry.",
    ),
    Reason.INVALID_REFERENCE: Explanation(
        "The workload names something that is no image reference.",
        "Correct the image of the container.",
    ),
    Reason.TAG_MOVED: Explanation(
        "The tag names another image today than the one that runs; the running one was kept first.",
        "Restart the workload to run what the tag names, or write the image with its digest.",
    ),
    Reason.RESTRICTED_NAMESPACE: Explanation(
        "The namespace is one of those that are left alone.",
        "Take it out of the restricted namespaces if its workloads shall be backed up.",
    ),
    Reason.IGNORED: Explanation(
        "The workload, or its namespace, is annotated k8slab.io/image-backup: ignore.",
        "Remove the annotation if the workload shall be backed up.",
    ),
    Reason.OWNED_BY_CONTROLLER: Explanation(
        "Another controller made the workload and would undo a change.",
        "Change the image in the object that owns the workload.",
    ),
    Reason.DELETING: Explanation("The workload is being deleted.", "Nothing."),
    Reason.ROLLOUT_PAUSED: Explanation(
        "The rollout of the workload is paused.", "Resume the rollout of the workload."
    ),
    Reason.SCALED_TO_ZERO: Explanation(
        "The workload is to have no pods, so nothing shows that its images work.", "Scale the workload up."
    ),
    Reason.NOT_READY: Explanation(
        "The workload has no available pod of its current generation.", "Look at the workload's pods."
    ),
    Reason.ROLLING_OUT: Explanation(
        "The workload is in the middle of a rollout.", "Nothing; it is looked at again when it is done."
    ),
    Reason.CONTROLLER_PAUSED: Explanation(
        "The namespace of the backups is annotated k8slab.io/image-backup: pause.",
        "Remove the annotation to go on.",
    ),
    Reason.BACKUP_PENDING: Explanation(
        "The image is not yet copied and verified.", "Nothing; see the ImageBackup for its progress."
    ),
    Reason.SELF_HEAL: Explanation(
        "Argo CD manages the workload and would undo a patch.", "Use the gitops mode for this workload."
    ),
    Reason.NOT_IN_GIT: Explanation(
        "No Argo CD Application tracks the workload, so there is no Git source to change.",
        "Let an Application deploy it, or set unmanaged to patch.",
    ),
    Reason.UNSUPPORTED_SOURCE: Explanation(
        "The Application's source has a shape that cannot be edited yet.",
        "Change the image in the source by hand.",
    ),
    Reason.RENDER_FAILED: Explanation(
        "Neither kustomize nor Helm nor jsonnet can render the source here, so that no edit can be proven.",
        "Read what it says: install the program where it is missing, or mend the source.",
    ),
    Reason.PINNED_REVISION: Explanation(
        "The Application follows a tag or a commit, which cannot be written to.",
        "Let it follow a branch, or name the one that releases are made from: k8slab.io/image-backup-branch.",
    ),
    Reason.NOT_FOUND_IN_SOURCE: Explanation(
        "The Application's source does not hold this container, or the path is not there.",
        "Look at the Application's repository, revision and path.",
    ),
    Reason.INVALID_MANIFEST: Explanation(
        "A file of the source cannot be read as YAML or JSON.", "Correct the file at the place that is named."
    ),
    Reason.SHARED_SCALAR: Explanation(
        "The text that names the image is used for something else as well, which must not change with it.",
        "Give the image a key (in kustomize a name) of its own, or write it out where an anchor is used.",
    ),
    Reason.PROOF_FAILED: Explanation(
        "With the edit, the file or what is rendered of it would differ in more than its images.",
        "See what would differ with gitops-backup report --diff, and change the image in the source by hand.",
    ),
    Reason.OVERRIDDEN: Explanation(
        "The live Application, Argo CD's settings or an annotation set or keep this image, and no file in Git"
        " that can be written says so.",
        "Remove the field that is named, or change the image there.",
    ),
    Reason.CLUSTERS_DIFFER: Explanation(
        "With the clusters of argocd_clusters, an ApplicationSet makes other Applications than there are.",
        "Correct argocd_clusters, or, where Git has changed, wait for Argo CD to generate them anew.",
    ),
    Reason.SIGNATURE_REQUIRED: Explanation(
        "Argo CD's project takes only commits that certain OpenPGP keys signed, and ours would not be.",
        "Set git_signing_key to an OpenPGP key, and make it known to Argo CD and its project.",
    ),
    Reason.AWAITING_SYNC: Explanation(
        "Git and the cluster say different things about this image; Argo CD has not brought them together.",
        "Sync the Application, or wait for the window that is named.",
    ),
    Reason.AWAITING_RELEASE: Explanation(
        "The branch that releases are made from is ahead of the tag or commit that the Application deploys.",
        "Release what is on the branch, and let the Application deploy that.",
    ),
    Reason.AWAITING_MERGE: Explanation(
        "The change is in a pull request, which nobody has merged yet.",
        "Merge the pull request, or close it if the image shall stay.",
    ),
    Reason.PULL_REQUEST_CLOSED: Explanation(
        "A person closed the pull request without merging it; none follows while it would be the same.",
        "Reopen the pull request, or annotate the workload k8slab.io/image-backup: ignore.",
    ),
    Reason.BRANCH_IN_USE: Explanation(
        "The branch for the pull request holds commits of somebody else, which are not thrown away.",
        "Merge or remove these commits; controllers that share a repository need a pull_request_branch each.",
    ),
    Reason.ROLLED_BACK: Explanation(
        "A person, or a failed rollout, brought the original image back.",
        "Change the image, or annotate the workload k8slab.io/image-backup: rewrite.",
    ),
    Reason.CONTESTED: Explanation(
        "Something undoes the change again and again (three times within an hour).",
        "Stop what writes the original image, and delete the ImageBackup, which is made anew, to try again.",
    ),
    Reason.REPOSITORY_UNAVAILABLE: Explanation(
        "The Git repository cannot be cloned, read or pushed to.",
        "Look at its URL, its credentials and its branch protection.",
    ),
    Reason.DOWNLOAD_NOT_ALLOWED: Explanation(
        "The Application is rendered from a chart or a file that is not in Git, and nobody allowed its URL.",
        "Add the URL, or the beginning of it, to download_prefixes.",
    ),
    Reason.DOWNLOAD_FAILED: Explanation(
        "A chart or a value file that the Application names by a URL cannot be downloaded, or not be used.",
        "Look at the URL, and at download_authfile; it is tried again.",
    ),
    Reason.CHART_NOT_FOUND: Explanation(
        "The chart repository has no such chart, or no version of it that fits.",
        "Look at the Application's repoURL, chart and targetRevision.",
    ),
}

OUT_OF_SCOPE = frozenset({Reason.RESTRICTED_NAMESPACE, Reason.IGNORED, Reason.DELETING})
"""Why a workload is none of ours."""

PASSING = frozenset(
    {
        Reason.BACKUP_PENDING,
        Reason.NOT_READY,
        Reason.ROLLING_OUT,
        Reason.AWAITING_SYNC,
        Reason.AWAITING_RELEASE,
        Reason.AWAITING_MERGE,
        Reason.RATE_LIMITED,
        Reason.SOURCE_UNAVAILABLE,
        Reason.DESTINATION_UNAVAILABLE,
    }
)
"""What ends by itself, or by what somebody does anyway."""
