"""What a forge's answers are to a caller, one class for each thing that a caller does about them."""

from gitops_backup.errors import Conflict, GitopsBackupError, Transient


class ForgeUnavailable(Transient):
    """The forge did not answer, or not in time, with an error of its own, or asks for fewer requests."""


class ForgeRefused(GitopsBackupError):
    """The forge wants a token, another one, or one with more rights, or it does not do what is asked."""


class ForgeConflict(Conflict):
    """The forge has something else than was seen, such as a pull request that is there already."""


class UnknownForge(GitopsBackupError):
    """Nothing says what kind of forge it is, or where its API is."""
