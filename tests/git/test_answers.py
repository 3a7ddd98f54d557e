"""What servers are known to say is read into the error that fits."""

import pytest

from gitops_backup.errors import GitopsBackupError
from gitops_backup.git.answers import failure, push_failure
from gitops_backup.git.errors import (
    AuthenticationFailed,
    PushForbidden,
    PushRejected,
    RepositoryMissing,
    RepositoryRefused,
    RepositoryUnavailable,
)
from gitops_backup.git.repository import RepositoryUrl

_URL = RepositoryUrl.parse("https://example.org/team/apps.git")


_NO_ACCESS = "fatal: unable to access 'https://example.org/team/apps.git/'"
_NOT_READ = "fatal: Could not read from remote repository."
_NOT_FOUND = "fatal: repository 'https://example.org/team/apps.git/' not found"


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        (AuthenticationFailed, ["fatal: Authentication failed for 'https://example.org/team/apps.git/'"]),
        (
            AuthenticationFailed,
            [
                "error: unable to read askpass response from '/x/askpass'",
                "fatal: could not read Username for 'https://example.org': terminal prompts disabled",
            ],
        ),
        (
            AuthenticationFailed,
            [
                "remote: Permission to team/apps.git denied to bob.",
                f"{_NO_ACCESS}: The requested URL returned error: 403",
            ],
        ),
        (AuthenticationFailed, ["remote: HTTP Basic: Access denied. The password is not ...", _NOT_FOUND]),
        (AuthenticationFailed, ["git@example.org: Permission denied (publickey).", _NOT_READ]),
        (AuthenticationFailed, ["Host key verification failed.", _NOT_READ]),
        (RepositoryMissing, ["remote: Repository not found.", _NOT_FOUND]),
        (RepositoryMissing, ["remote: The project you were looking for could not be found", _NOT_FOUND]),
        (RepositoryMissing, ["ERROR: Repository not found.", _NOT_READ]),
        (RepositoryMissing, ["fatal: '/apps.git' does not appear to be a git repository", _NOT_READ]),
        (RepositoryUnavailable, [f"{_NO_ACCESS}: Could not resolve host: example.org"]),
        (RepositoryUnavailable, [f"{_NO_ACCESS}: server certificate verification failed."]),
        (
            RepositoryUnavailable,
            [
                "error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502",
                "fatal: the remote end hung up unexpectedly",
            ],
        ),
        (
            RepositoryUnavailable,
            ["ssh: connect to host example.org port 22: Connection timed out", _NOT_READ],
        ),
        (
            RepositoryRefused,
            [
                "error: object 1f7a7a472abf3dd9643fd615f6da379c4acb3e3a: hasDotgit: contains '.git'",
                "fatal: fsck error in packed object",
                "fatal: fetch-pack: invalid index-pack output",
            ],
        ),
    ],
)
def test_a_failed_conversation_is_named(kind: type[GitopsBackupError], lines: list[str]) -> None:
    """One line, with the repository in it."""
    error = failure("\n".join(lines).encode(), url=_URL, has_credentials=True)
    assert type(error) is kind
    assert "example.org" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "printed",
    [
        "fatal: Unable to create '/x/shallow.lock': File exists.",
        "error: packfile /x/p.pack does not match index\nfatal: the remote end hung up unexpectedly",
        "fatal: packed object c0ff (stored in /x/p.pack) is corrupt",
        "error: cannot lock ref 'refs/heads/main': unable to resolve reference: reference broken",
        "fatal: not a git repository: '/x'",
        "fatal: bad shallow line: garbage",
        "something that nobody has seen before",
    ],
)
def test_what_the_server_did_not_cause_is_none_of_its_errors(printed: str) -> None:
    """Then the clone is to blame, and made anew."""
    assert failure(printed.encode(), url=_URL, has_credentials=True) is None


@pytest.mark.parametrize(
    ("summary", "kind"),
    [
        ("[rejected] (stale info)", PushRejected),
        ("[rejected] (fetch first)", PushRejected),
        ("[rejected] (non-fast-forward)", PushRejected),
        ("[remote rejected] (cannot lock ref 'refs/heads/main': is at 1234 but expected 5678)", PushRejected),
        ("[remote rejected] (incorrect old value provided)", PushRejected),
        ("[remote rejected] (failed to update ref)", PushRejected),
        ("[remote rejected] (protected branch hook declined)", PushForbidden),
        ("[remote rejected] (pre-receive hook declined)", PushForbidden),
        ("[remote rejected] (shallow update not allowed)", PushForbidden),
        ("[remote rejected] (branch is currently checked out)", PushForbidden),
        ("[remote rejected] (unpacker error)", RepositoryUnavailable),
        ("[remote rejected] (Internal Server Error)", RepositoryUnavailable),
    ],
)
def test_a_refused_branch_is_named(summary: str, kind: type[GitopsBackupError]) -> None:
    """With what the server remarked on it, in one line."""
    printed = f"To https://example.org/team/apps.git\n!\t{'c' * 40}:refs/heads/main\t{summary}\nDone\n"
    remarks = b"remote: \nremote: GH006: Protected branch update failed.\nerror: failed to push some refs"
    error = push_failure(printed.encode(), remarks, url=_URL, branch="main")
    assert type(error) is kind
    assert "main" in str(error)
    assert ("GH006" in str(error)) is (kind is not PushRejected)
    assert "\n" not in str(error)


@pytest.mark.parametrize("flag", [" ", "*", "="])
def test_a_branch_that_was_taken_is_no_failure(flag: str) -> None:
    """Moved, made, or there already."""
    printed = f"To x\n{flag}\t{'c' * 40}:refs/heads/main\t1234567..89abcde\nDone\n"
    assert push_failure(printed.encode(), b"", url=_URL, branch="main") is None
