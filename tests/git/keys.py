"""Private keys for signing, made anew for each test, and what git says of a signature."""

from pathlib import Path

from gitops_backup.process import Completed, run

_SECONDS = 60.0


class OpenPgpKey:
    """A key of a gpg home in `folder`: `file` is the armoured private key, `public` the other half.

    `key_id` has 16 hexadecimal digits.
    """

    def __init__(self, folder: Path, *, passphrase: str = "") -> None:
        self._home = folder / "home"
        self._home.mkdir(parents=True, mode=0o700)
        locked = ["--pinentry-mode", "loopback", "--passphrase", passphrase]
        self._gpg(*locked, "--quick-generate-key", "Bot <bot@example.org>", "ed25519", "sign", "never")
        listed = self._gpg("--list-secret-keys", "--with-colons").stdout.decode()
        fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
        self.key_id = fingerprint[-16:]
        self.file = folder / "key.asc"
        self.file.write_bytes(self._gpg(*locked, "--armor", "--export-secret-keys").stdout)
        self.public = self._gpg("--armor", "--export").stdout
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text(f"{passphrase}\n")

    def add_signing_subkey(self) -> str:
        """Give it a subkey, which signs from now on, and answer that one's id."""
        before = self.key_id
        unlocked = ["--pinentry-mode", "loopback", "--passphrase", ""]
        self._gpg(*unlocked, "--quick-add-key", self._fingerprint(before), "ed25519", "sign", "never")
        self.file.write_bytes(self._gpg(*unlocked, "--armor", "--export-secret-keys").stdout)
        self.public = self._gpg("--armor", "--export").stdout
        listed = self._gpg("--list-secret-keys", "--with-colons").stdout.decode()
        return next(line.split(":")[4] for line in listed.splitlines() if line.startswith("ssb:"))

    def verify(self, repository: Path, commit: str) -> Completed:
        """What `git verify-commit` says where this key is known."""
        environment = {"GNUPGHOME": str(self._home)}
        argv = ["git", "-C", str(repository), "verify-commit", "--raw", commit]
        return run(argv, timeout=_SECONDS, env=environment)

    def close(self) -> None:
        """End its agent."""
        run(["gpgconf", "--kill", "gpg-agent"], timeout=_SECONDS, env={"GNUPGHOME": str(self._home)})

    def _fingerprint(self, key_id: str) -> str:
        listed = self._gpg("--list-keys", "--with-colons", key_id).stdout.decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def _gpg(self, *arguments: str) -> Completed:
        environment = {"GNUPGHOME": str(self._home)}
        done = run(["gpg", "--batch", "--quiet", *arguments], timeout=_SECONDS, env=environment)
        assert done.returncode == 0, done.stderr
        return done


class OpenSshKey:
    """A key of ssh-keygen in `folder`, of some type; `file` is the private one."""

    def __init__(self, folder: Path, kind: str = "ed25519", *, passphrase: str = "") -> None:
        folder.mkdir(parents=True)
        self.file = folder / "key"
        argv = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "bot", "-f", str(self.file)]
        assert run(argv, timeout=_SECONDS).returncode == 0
        public = self.file.with_suffix(".pub").read_text()
        self._allowed = folder / "allowed"
        self._allowed.write_text(f"bot@example.org {public}")

    def verify(self, repository: Path, commit: str) -> Completed:
        """What `git verify-commit` says where this key is known."""
        options = ["-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={self._allowed}"]
        return run(["git", "-C", str(repository), *options, "verify-commit", commit], timeout=_SECONDS)
