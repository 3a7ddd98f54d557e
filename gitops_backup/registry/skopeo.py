"""Copying with skopeo: one process per copy, closed off from everything that it is not told.

- It is given the place of a registry, a digest to read and a tag to write, with `--all` (it would else take
  one platform out of an index without a word) and `--preserve-digests` (it would else be free to rewrite).
- `--retry-times 0`: whether and when to try again is decided by who asks. What it repeats regardless is a
  429, five times, with pauses of up to a minute (measured with 1.9.3); the time limit ends that.
- Each side has an authfile of its own with one entry, for that repository alone, in a folder that only we
  can read and that is gone afterwards. A side without credentials is told so, because an authfile without
  an entry makes it look into the docker config of the home folder next.
- Its home is a folder of ours with an empty registries.conf: so the machine's mirrors, short names, lookaside
  signature stores and credential helpers change nothing.
- It goes through the proxies that our own requests go through, and trusts whom they trust.
- Its cache of where blobs are is in there as well: a layer that another backup has is neither read nor sent
  again. It waits for the cache's lock without a limit, so no other program may share it.
- `--insecure-policy`: which images may be copied is decided before, what arrived is verified afterwards, by
  digest; a container need not have a policy.json.
- Signatures of the "simple signing" kind, which some registries serve besides the image, are left out:
  most registries do not take them, and the copy would fail.
"""

import contextlib
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import UsageError, one_line
from gitops_backup.process import ProcessTimeout, run
from gitops_backup.registry.client import Remote
from gitops_backup.registry.complaints import read_complaint
from gitops_backup.registry.credentials import authfile
from gitops_backup.registry.failures import CopyFailed, Side

_OPTIONS = (
    "--all",
    "--preserve-digests",
    "--quiet",
    "--remove-signatures",
    "--retry-times",
    "--src-authfile",
    "--src-cert-dir",
    "--src-no-creds",
    "--src-tls-verify",
    "--dest-authfile",
    "--dest-cert-dir",
    "--dest-no-creds",
    "--dest-tls-verify",
)
_QUESTION_SECONDS = 20.0
_DOCKER_HUB = "docker.io"
_DOCKER_HUB_API = "registry-1.docker.io"


class Skopeo:
    """The program `binary`, at home in `folder`, which is ours alone; safe for many threads.

    `timeout` is how long one copy may take, in seconds. `environment` is handed on: the proxies of
    `proxies`, `SSL_CERT_FILE`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        binary: str = "skopeo",
        timeout: float = 300.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._binary = binary
        self._handed_on = dict(environment or {})
        self._timeout = timeout
        self._home = folder / "home"
        self._copies = folder / "copies"
        configuration = self._home / ".config" / "containers"
        (configuration / "registries.d").mkdir(mode=0o700, parents=True, exist_ok=True)
        (configuration / "registries.conf").write_bytes(b"")
        self._copies.mkdir(mode=0o700, parents=True, exist_ok=True)

    def version(self) -> str:
        """The program's version, when it is one that can be worked with.

        Raises `ProgramMissing`, or `UsageError` where it lacks an option that is needed.
        """
        asked = run([self._binary, "--version"], timeout=_QUESTION_SECONDS, env=self._environment())
        options = run([self._binary, "copy", "--help"], timeout=_QUESTION_SECONDS, env=self._environment())
        words = asked.stdout.split()
        version = one_line(words[2], limit=40) if len(words) > 2 and words[0] == b"skopeo" else "?"
        known = frozenset(re.findall(r"--[a-z-]+", options.stdout.decode("utf-8", "replace")))
        missing = [option for option in _OPTIONS if option not in known]
        if missing:
            raise UsageError(
                f"{self._binary} {version} has no option {missing[0]}", hint="install skopeo 1.9 or newer"
            )
        return version

    def copy(
        self,
        source: Remote,
        digest: str,
        destination: Remote,
        tag: str,
        *,
        cancel: threading.Event | None = None,
    ) -> None:
        """Copy the manifest `digest` of one repository, and all that it names, to `tag` of another.

        Raises `CopyFailed`, or `ProcessCancelled` soon after `cancel` was set.
        """
        with self._folder() as folder:
            argv = [
                self._binary,
                "--insecure-policy",
                "--tmpdir",
                str(folder),
                "copy",
                "--quiet",
                "--all",
                "--preserve-digests",
                "--remove-signatures",
                "--retry-times=0",
                *_side_options("src", source, folder),
                *_side_options("dest", destination, folder),
                "--",
                f"docker://{_name(source)}@{digest}",
                f"docker://{_name(destination)}:{tag}",
            ]
            env = self._environment() | {"TMPDIR": str(folder)}
            try:
                # copies can wait; the controller answers while they go on
                ended = run(argv, timeout=self._timeout, env=env, cancel=cancel, background=True)
            except ProcessTimeout as error:
                raise CopyFailed(
                    Reason.SOURCE_UNAVAILABLE,
                    f"the copy of {_name(source)}@{digest} took more than {self._timeout:g} s and was ended",
                    side=Side.SOURCE,
                    registry=source.endpoint.host,
                    hint="allow a copy more time if the image is large",
                ) from error
        if ended.returncode != 0:
            complaint = read_complaint(ended.stderr, source=source.endpoint, destination=destination.endpoint)
            remote = source if complaint.side is Side.SOURCE else destination
            raise CopyFailed(
                complaint.reason,
                f"skopeo ended with {ended.returncode}: {complaint.text}",
                side=complaint.side,
                registry=remote.endpoint.host,
            )

    def _environment(self) -> dict[str, str]:
        return {
            **self._handed_on,
            "HOME": str(self._home),
            # keeps its cache at home for root, too
            "_CONTAINERS_ROOTLESS_UID": "1000",
            # copies run side by side, and Go would take every core of the node for each
            "GOMAXPROCS": "1",
        }

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(dir=self._copies))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _name(remote: Remote) -> str:
    host = _DOCKER_HUB if remote.endpoint.host == _DOCKER_HUB_API else remote.endpoint.host
    return f"{host}/{remote.endpoint.repository}"


def _side_options(side: str, remote: Remote, folder: Path) -> list[str]:
    options = []
    if remote.credential is None:
        options.append(f"--{side}-no-creds")
    else:
        file = folder / f"{side}.json"
        file.touch(mode=0o600)
        file.write_bytes(authfile(_name(remote), remote.credential))
        options.append(f"--{side}-authfile={file}")
    if remote.endpoint.insecure:
        options.append(f"--{side}-tls-verify=false")
    if remote.endpoint.ca is not None:
        authorities = folder / f"{side}-authorities"
        authorities.mkdir(mode=0o700)
        (authorities / "ca.crt").symlink_to(remote.endpoint.ca.absolute())
        options.append(f"--{side}-cert-dir={authorities}")
    return options
