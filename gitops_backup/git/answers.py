"""What git prints when a server says no, read into errors.

Git has exit codes for little; its messages are stable, English under our locale, and looked at in this order:
what only damage on this machine explains (the caller makes the clone anew), then credentials, then what is
not there, then what may pass. Anything else is taken for damage once.

The lines about a pushed branch are those of `git push --porcelain` (git-push(1), "OUTPUT").
"""

import re

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.git.errors import (
    AuthenticationFailed,
    PushForbidden,
    PushRejected,
    RepositoryMissing,
    RepositoryRefused,
    RepositoryUnavailable,
)
from gitops_backup.git.repository import RepositoryUrl

_DAMAGE = re.compile(
    r"Unable to create '.*\.lock'|does not match index|is corrupt|far too short|reference broken"
    r"|not a git repository: |bad shallow line|bad config line"
)
_UNFIT_OBJECT = re.compile(r"^error: object (?P<object>[0-9a-f]{40,64}: \w+: .*)$", re.MULTILINE)
_CREDENTIALS = re.compile(
    r"Authentication failed|could not read (Username|Password)|returned error: 40[13]"
    r"|Permission denied \(|Permission to .* denied|Access denied|Invalid username or"
)
_NO_OPTIONS = re.compile(r"does not support push options")
_HOST_KEY = re.compile(r"Host key verification failed")
_MISSING = re.compile(
    r"repository '.*' not found|Repository not found|does not appear to be a git repository"
    r"|returned error: (404|410)|could not be found"
)
_PASSING = re.compile(
    r"unable to access|Could not (resolve|read from remote)|Connection |timed out|RPC failed|early EOF"
    r"|hung up unexpectedly|unexpected disconnect|Network is unreachable|No route to host|Temporary failure"
    r"|bad line length|expected flush|protocol error|pack exceeds"
)
_REF_LINE = re.compile(r"^(?P<flag>.)\t[^\t]*\t(?P<summary>.*)$", re.MULTILINE)
_MOVED = re.compile(
    r"stale info|non-fast-forward|fetch first|needs force|cannot lock ref|incorrect old value"
    r"|failed to update ref|failed to lock|reference already exists|remote ref updated"
)
_SERVER_FAULT = re.compile(r"unpacker error|internal (server )?error|timeout", re.IGNORECASE)


def failure(stderr: bytes, *, url: RepositoryUrl, has_credentials: bool) -> GitopsBackupError | None:
    """The error that a failed conversation with a server stands for; None where it explains nothing."""
    text = stderr.decode("utf-8", "replace")
    said = _said(text)
    if unfit := _UNFIT_OBJECT.search(text):
        return RepositoryRefused(
            f"{url} holds an object that git does not accept: {one_line(unfit['object'])}",
            hint="git fsck in the repository shows all of them",
        )
    if _DAMAGE.search(text):
        return None
    if _NO_OPTIONS.search(text):
        return RepositoryRefused(
            f"{url} takes no push options, by which GitLab opens merge requests",
            hint="is it a GitLab? A token for its API, in the setting repositories, does without them",
        )
    if _HOST_KEY.search(text):
        return AuthenticationFailed(
            f"the host key of {url.origin} is not a known one",
            hint="add it to known_hosts of its Git credentials",
        )
    if _CREDENTIALS.search(text):
        if has_credentials:
            return AuthenticationFailed(f"{url} refuses the Git credentials: {said}")
        return AuthenticationFailed(f"{url} wants credentials, and none are configured for it")
    if _MISSING.search(text):
        return RepositoryMissing(f"{url} is not there, or not for these credentials: {said}")
    if _PASSING.search(text):
        return RepositoryUnavailable(f"{url} cannot be reached: {said}")
    return None


def push_failure(
    stdout: bytes, stderr: bytes, *, url: RepositoryUrl, branch: str
) -> GitopsBackupError | None:
    """The error for a refused branch; None where the server said nothing about the branch."""
    line = _REF_LINE.search(stdout.decode("utf-8", "replace"))
    if line is None or line["flag"] != "!":
        return None
    summary = one_line(line["summary"])
    if _MOVED.search(summary):
        return PushRejected(f"{branch} of {url} has moved: {summary}")
    remarks = _remarks(stderr.decode("utf-8", "replace"))
    said = f"{summary}: {remarks}" if remarks else summary
    if _SERVER_FAULT.search(summary):
        return RepositoryUnavailable(f"{url} failed to take a push to {branch}: {said}")
    return PushForbidden(f"{url} does not take a push to {branch}: {said}")


def _said(text: str) -> str:
    return one_line(" / ".join(line for line in text.splitlines() if line and not line.startswith("hint:")))


def _remarks(text: str) -> str:
    remarks = [
        line.removeprefix("remote:").strip() for line in text.splitlines() if line.startswith("remote:")
    ]
    return one_line(" / ".join(remark for remark in remarks if remark))
