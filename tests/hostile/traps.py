"""A repository that means harm, what is asked of it, and what is to come of that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IMAGE = "nginx:1.25"
BACKUP = "bak.example/m/library_nginx"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: c0
          image: nginx:1.25
"""


@dataclass(frozen=True, slots=True)
class Outside:
    """What a repository may want to get at: a file on this machine, and a server on it.

    `content` is what the file has; `url` is the server's, with its `port`. Programs that a repository brings
    along would create `sentinel`.
    """

    file: Path
    content: str
    sentinel: Path
    port: int

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Trap:
    """A repository by its paths, and one Application that deploys the folder `path` of it.

    `reason` is why the image of its Deployment `web` is left, and `says` is part of what is said of it;
    without a reason the image is replaced, in the file `edited`, and nothing else is.
    """

    name: str
    files: Mapping[str, bytes | str]
    reason: str | None
    says: str = ""
    modes: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    path: str = "app"
    edited: str = ""
