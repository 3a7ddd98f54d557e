"""Signing commits, with an OpenPGP key or with an SSH key; which of them, the key's first line says.

The key is handed to the program through its input or a file that only we can read, the passphrase as the file
that it is in: neither stands in an argument or in the environment. gpg works in a folder of our own, so that
no key, option or agent of the machine's user has a part in it.

The same commit gets the same signature wherever the kind of key allows it (all but ECDSA keys of SSH), so
that a step that is taken twice makes the same commit. For that, an OpenPGP signature is dated as the commit
is, or as the key where that was made only later.
"""

import contextlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from gitops_backup import process
from gitops_backup.errors import Transient, UsageError, one_line

_SECONDS = 60.0
_OPENPGP = b"-----BEGIN PGP PRIVATE KEY BLOCK-----"
_SSH = re.compile(rb"-----BEGIN (OPENSSH|RSA|EC|DSA)? ?PRIVATE KEY-----")
_SIGNED_BY = re.compile(rb"^\[GNUPG:\] SIG_CREATED D \d+ \d+ \S+ \d+ ([0-9A-F]{40})\s*$", re.MULTILINE)


class SigningFailed(Transient):
    """A commit could not be signed, so there is none."""


class Signer(Protocol):
    """Signs commits with one key.

    `key_ids` are the names under which an OpenPGP key can be asked for, 16 hexadecimal digits each: its own,
    and that of the subkey that signs. An SSH key has none.
    """

    @property
    def key_ids(self) -> frozenset[str]:
        """See above."""

    def sign(self, commit: bytes, *, when: datetime) -> bytes:
        """The armoured signature of a commit object that was made at `when`. Raises `SigningFailed`."""

    def close(self) -> None:
        """End what was started for it."""


def open_signer(key: Path, *, passphrase: Path | None, folder: Path) -> Signer:
    """Who signs with the private key in a file; the first line of the file `passphrase` unlocks it.

    `folder` is private to it, has a short path (gpg's agent listens on a socket in it) and is removed by the
    caller after `close`. A signature is made for a trial. Raises `UsageError` where the key cannot sign, and
    `ProgramMissing`.
    """
    try:
        content = key.read_bytes()
        if passphrase is not None:
            passphrase.read_bytes()
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
    if content.lstrip().startswith(_OPENPGP):
        return _made(OpenPgpSigner(key, content, passphrase, folder))
    if not _SSH.match(content.lstrip()):
        raise UsageError(
            f"{key} holds no private key in a known form",
            hint="gpg --export-secret-keys --armor makes one, and so does ssh-keygen",
        )
    if passphrase is not None:
        raise UsageError(
            f"{key} is an SSH key, and git_signing_passphrase is for OpenPGP keys",
            hint="use an SSH key without a passphrase",
        )
    return _made(SshSigner(content, folder))


def _made(signer: "OpenPgpSigner | SshSigner") -> Signer:
    try:
        signer.try_out()
    except SigningFailed as error:
        signer.close()
        raise UsageError(
            f"the key of git_signing_key cannot sign: {error.message}",
            hint="an OpenPGP key may need git_signing_passphrase; an SSH key must have no passphrase",
        ) from error
    except BaseException:
        signer.close()
        raise
    return signer


class OpenPgpSigner:
    """A key of gpg, in a home of its own."""

    def __init__(self, key: Path, content: bytes, passphrase: Path | None, home: Path) -> None:
        self.key_ids: frozenset[str] = frozenset()
        self._key = key
        self._content = content
        self._environment = {"GNUPGHOME": str(home)}
        self._unlock = ["--passphrase-file", str(passphrase)] if passphrase is not None else []
        self._fingerprint = ""
        self._complete = datetime.min.replace(tzinfo=UTC)

    def try_out(self) -> None:
        """Take the key in, and sign something. Raises `UsageError` where there is not one key in the file."""
        imported = self._gpg(["--import"], self._content)
        listed = self._gpg(["--list-secret-keys", "--with-colons"], b"")
        listing = listed.stdout.decode("utf-8", "replace")
        fingerprints = _primary_fingerprints(listing)
        if len(fingerprints) != 1:
            seen = "no key that gpg takes" if not fingerprints else f"{len(fingerprints)} keys"
            why = f": {one_line(imported.stderr)}" if not fingerprints else ""
            raise UsageError(f"{self._key} holds {seen}, and one is needed{why}")
        self._fingerprint = fingerprints[0]
        self._complete = _completed(listing)
        _, signed_by = self._signed(b"trial", datetime.now(UTC))
        self.key_ids = frozenset({self._fingerprint[-16:], signed_by[-16:]})

    def sign(self, commit: bytes, *, when: datetime) -> bytes:
        """See `Signer`."""
        return self._signed(commit, when)[0]

    def close(self) -> None:
        """See `Signer`."""
        # the agent ends by itself, too, when its home is removed
        with contextlib.suppress(process.ProgramMissing, process.ProcessTimeout):
            process.run(["gpgconf", "--kill", "gpg-agent"], timeout=_SECONDS, env=self._environment)

    def _signed(self, payload: bytes, when: datetime) -> tuple[bytes, str]:
        # a key signs nothing before it was made, which may be now on a machine whose clock is ahead of ours
        stamp = max(when, self._complete).astimezone(UTC).strftime("%Y%m%dT%H%M%S")
        dated = ["--faked-system-time", f"{stamp}!"]
        signing = ["--local-user", self._fingerprint, "--armor", "--output", "-", "--detach-sign"]
        done = self._gpg([*dated, *self._unlock, *signing], payload)
        signed_by = _SIGNED_BY.search(done.stderr)
        if done.returncode != 0 or signed_by is None:
            words = [line for line in done.stderr.splitlines() if line.startswith(b"gpg: ")]
            raise SigningFailed(one_line(b"; ".join(words) or done.stderr))
        return done.stdout, signed_by[1].decode()

    def _gpg(self, arguments: Sequence[str], given: bytes) -> process.Completed:
        fixed = ["--batch", "--no-tty", "--quiet", "--status-fd", "2", "--pinentry-mode", "loopback"]
        argv = ["gpg", *fixed, *arguments]
        try:
            return process.run(argv, timeout=_SECONDS, env=self._environment, input=given)
        except process.ProcessTimeout as error:
            raise SigningFailed(error.message) from error


class SshSigner:
    """A key of OpenSSH (ssh-keygen(1), -Y sign), in the namespace that git uses."""

    key_ids: frozenset[str] = frozenset()

    def __init__(self, content: bytes, folder: Path) -> None:
        self._key = folder / "key"
        self._key.touch(mode=0o600)
        # OpenSSH reads no key whose last line does not end
        self._key.write_bytes(content.strip() + b"\n")

    def try_out(self) -> None:
        """Sign something."""
        self.sign(b"trial", when=datetime.now(UTC))

    def sign(self, commit: bytes, *, when: datetime) -> bytes:
        """See `Signer`."""
        arguments = ["-q", "-Y", "sign", "-n", "git", "-f", str(self._key)]
        # nobody is asked for a passphrase
        environment = {"SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "force"}
        try:
            done = process.run(["ssh-keygen", *arguments], timeout=_SECONDS, env=environment, input=commit)
        except process.ProcessTimeout as error:
            raise SigningFailed(error.message) from error
        if done.returncode != 0 or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
            raise SigningFailed(one_line(done.stderr).replace(str(self._key), "the key"))
        return done.stdout

    def close(self) -> None:
        """See `Signer`."""


def _primary_fingerprints(listing: str) -> list[str]:
    """The fingerprints of primary keys in gpg's listing (doc/DETAILS in its sources): one follows each."""
    found: list[str] = []
    kind = ""
    for fields in (line.split(":") for line in listing.splitlines()):
        if fields[0] in ("sec", "ssb"):
            kind = fields[0]
        elif fields[0] == "fpr" and kind == "sec":
            found.append(fields[9])
            kind = ""
    return found


def _completed(listing: str) -> datetime:
    """When the youngest part of the keys in gpg's listing was made: a key, a subkey or an owner's name."""
    records = [line.split(":") for line in listing.splitlines()]
    dates = (int(record[5]) for record in records if record[0] in ("sec", "ssb", "uid") and record[5])
    return datetime.fromtimestamp(max(dates), UTC)
