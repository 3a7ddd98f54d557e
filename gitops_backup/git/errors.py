"""What a Git server's answers are to a caller, one class for each thing that a caller does about them."""

from gitops_backup.errors import Conflict, GitopsBackupError, Transient, Unwritable


class InvalidRepositoryUrl(GitopsBackupError):
    """The text is no URL of a repository that may be used; the message says why, without what is secret."""


class RepositoryUnavailable(Transient):
    """The server did not answer, or not in time, or with an error of its own: try later."""


class RepositoryMissing(GitopsBackupError):
    """There is no such repository, or the server does not show it to these credentials."""


class RepositoryRefused(GitopsBackupError):
    """The repository cannot be worked with, for an object in it that git's own checks refuse, for one."""


class BranchMissing(GitopsBackupError):
    """The repository has no such branch."""


class TagInstead(BranchMissing, Unwritable):
    """What was asked for as a branch is a tag."""


class AuthenticationFailed(GitopsBackupError):
    """The server wants credentials, or other ones."""


class PushRejected(Conflict):
    """The branch is not where the commit was built on: nothing was pushed; fetch and decide again."""


class PushForbidden(GitopsBackupError):
    """The server does not let these credentials push this to this branch: a rule, a hook, a missing right."""


class CloneDamaged(GitopsBackupError):
    """A clone on this machine cannot be used; it is thrown away, and callers of this package never see it."""
