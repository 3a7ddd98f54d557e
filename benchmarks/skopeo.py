"""skopeo as somebody calls it in a shell, into the sandbox's backup registry."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from benchmarks.usage import MeasurementFailed
from gitops_backup.errors import one_line
from gitops_backup.process import run
from gitops_backup.registry.credentials import Credential, authfile
from gitops_backup.sandbox.registry import Registry

_LONGEST_SECONDS = 900.0


class Skopeo:
    """Copies images below prefixes of `backup`; `folder` gets the credentials."""

    def __init__(self, folder: Path, backup: Registry) -> None:
        self._folder = folder
        self._backup = backup
        self._authfile = folder / "authfile.json"
        self._authfile.touch(mode=0o600)
        self._authfile.write_bytes(authfile(backup.address, Credential(backup.username, backup.password)))

    def copy(self, source: str, prefix: str) -> None:
        """`skopeo copy` of an image, given by the address that it really has."""
        place = f"docker://{self._backup.address}/{prefix}/{source.rpartition('/')[2]}"
        self._run("copy", "--quiet", "--all", "--src-tls-verify=false", f"docker://{source}", place)

    def sync(self, address: str, images: Mapping[str, Sequence[str]], prefix: str) -> None:
        """`skopeo sync` of a list: the tags of each repository of the registry at this address."""
        listed = self._folder / "images.yaml"
        listed.write_text(yaml.safe_dump({address: {"tls-verify": False, "images": dict(images)}}))
        place = f"{self._backup.address}/{prefix}"
        self._run("sync", "--all", "--src=yaml", "--dest=docker", str(listed), place)

    def _run(self, command: str, *arguments: str) -> None:
        options = ("--src-no-creds", "--dest-tls-verify=false", f"--dest-authfile={self._authfile}")
        argv = ["skopeo", "--insecure-policy", command, *options, *arguments]
        ended = run(argv, timeout=_LONGEST_SECONDS)
        if ended.returncode != 0:
            raise MeasurementFailed(f"skopeo {command}: {one_line(ended.stderr[-300:])}")
