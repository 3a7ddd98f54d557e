"""A real Argo CD: its application controller, repo server and ApplicationSet controller, with Redis.

One program plays all three parts. What its installation makes beside them is in `manifests/argocd`; its
resource definitions take the place of those that the stand-in works with. There is no API server of its own,
no user interface and no notifications. Applications are compared again every few seconds, so that nobody has
to wait for a webhook that does not come. The controller's metrics, which hold no secret, are served to
everybody, as it cannot be told otherwise; everything else is on the loopback address.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from gitops_backup.process import environment
from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.build import data_folder
from gitops_backup.sandbox.programs import Program
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.servers import LOOPBACK, answers, start_server

ARGOCD = "argocd"

_NAMESPACE = "argocd"
_MANIFESTS = Path(__file__).parent / "manifests" / "argocd"
_SECONDS_BETWEEN_COMPARISONS = 5
_SECONDS_TO_START = 120.0
# the repo server asks the first of every revision, whether or not signatures are verified, and goes by what
# git says itself; the second it asks which keys there are, and takes none for a failure
_WRAPPERS = {
    "git-verify-wrapper.sh": "#!/bin/sh\nexit 0\n",
    "gpg-wrapper.sh": '#!/bin/sh\ngpg "$@" 2>&1\nexit 0\n',
}


def signing_keys_folder(sandbox: Sandbox) -> Path:
    """Where its Argo CD finds the OpenPGP keys of commits, each in a file that is called by the key's id."""
    return sandbox.folder / "argocd" / "signing-keys"


class RealArgoCd:
    """Argo CD, deploying to the sandbox's control plane from enter to exit.

    `binaries` has `argocd`, `kustomize` and `helm`; `redis` is the Redis server's program. The sandbox must
    have no stand-ins.
    """

    def __init__(self, sandbox: Sandbox, *, binaries: Mapping[str, Path], redis: Path) -> None:
        self._sandbox = sandbox
        self._binaries = binaries
        self._redis = redis
        self._folder = sandbox.folder / "argocd"
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with self._running:
            self._prepare()
            redis = f"--redis={LOOPBACK}:{self._start(self._launch_redis)}"
            repositories = self._start(lambda ports: self._launch_repo_server(ports, redis), ports=2)
            server = f"{LOOPBACK}:{repositories}"
            self._start(lambda ports: self._launch_controller(ports, server, redis))
            self._start(lambda ports: self._launch_sets(ports, server), ports=3)
            self._running = self._running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _start(self, launch: Callable[[Sequence[int]], Program], *, ports: int = 1) -> int:
        """Start a program that listens on so many ports; returns the first."""
        program, numbers = start_server(
            launch, ready=lambda at: all(map(answers, at)), ports=ports, timeout=_SECONDS_TO_START
        )
        self._running.callback(program.kill)
        return numbers[0]

    def _prepare(self) -> None:
        for name in ("bin", "plugins", "ssh", "temporary", "tls"):
            (self._folder / name).mkdir(parents=True)
        (self._folder / "gnupg").mkdir(mode=0o700)
        signing_keys_folder(self._sandbox).mkdir()
        for name in ("kustomize", "helm"):
            (self._folder / "bin" / name).symlink_to(self._binaries[name])
        for name, script in _WRAPPERS.items():
            wrapper = self._folder / "bin" / name
            wrapper.write_text(script)
            wrapper.chmod(0o755)
        definitions = data_folder(self._binaries[ARGOCD]) / "manifests" / "crds"
        self._sandbox.apply(*sorted(definitions.glob("*.yaml")))
        secret: Json = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": "argocd-secret",
                "namespace": _NAMESPACE,
                "labels": {"app.kubernetes.io/part-of": "argocd"},
            },
            "stringData": {"server.secretkey": secrets.token_urlsafe(24)},
        }
        self._sandbox.apply(secret)
        self._sandbox.apply(_MANIFESTS / "installation.yaml")

    def _launch_redis(self, ports: Sequence[int]) -> Program:
        # in Debian's package this program is many, and its name says which
        server = self._folder / "bin" / "redis-server"
        server.unlink(missing_ok=True)
        server.symlink_to(self._redis)
        arguments = ["--bind", LOOPBACK, "--port", str(ports[0]), "--save", "", "--appendonly", "no"]
        return self._sandbox.program("redis", [server, *arguments])

    def _launch_repo_server(self, ports: Sequence[int], redis: str) -> Program:
        return self._launch(
            "argocd-repo-server",
            [
                redis,
                f"--address={LOOPBACK}",
                f"--port={ports[0]}",
                f"--metrics-address={LOOPBACK}",
                f"--metrics-port={ports[1]}",
                "--disable-tls",
                # with its default, TLS must not be disabled
                "--client-ca-path=",
                f"--revision-cache-expiration={_SECONDS_BETWEEN_COMPARISONS}s",
            ],
        )

    def _launch_controller(self, ports: Sequence[int], repo_server: str, redis: str) -> Program:
        return self._launch(
            "argocd-application-controller",
            [
                redis,
                f"--namespace={_NAMESPACE}",
                f"--repo-server={repo_server}",
                "--repo-server-plaintext",
                f"--metrics-port={ports[0]}",
                "--application-namespaces=*",
                f"--app-resync={_SECONDS_BETWEEN_COMPARISONS}",
                "--app-resync-jitter=0",
            ],
        )

    def _launch_sets(self, ports: Sequence[int], repo_server: str) -> Program:
        return self._launch(
            "argocd-applicationset-controller",
            [
                f"--namespace={_NAMESPACE}",
                f"--argocd-repo-server={repo_server}",
                "--repo-server-plaintext",
                f"--metrics-addr={LOOPBACK}:{ports[0]}",
                f"--probe-addr={LOOPBACK}:{ports[1]}",
                f"--webhook-addr={LOOPBACK}:{ports[2]}",
            ],
        )

    def _launch(self, part: str, arguments: Sequence[str]) -> Program:
        argv: list[str | Path] = [self._binaries[ARGOCD], *arguments]
        return self._sandbox.program(part, argv, env=self._environment(part))

    def _environment(self, part: str) -> dict[str, str]:
        inherited = environment()["PATH"]
        return {
            "ARGOCD_BINARY_NAME": part,
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "true",
            "ARGOCD_GPG_DATA_PATH": str(signing_keys_folder(self._sandbox)),
            "ARGOCD_GNUPGHOME": str(self._folder / "gnupg"),
            "ARGOCD_PLUGINSOCKFILEPATH": str(self._folder / "plugins"),
            "ARGOCD_SSH_DATA_PATH": str(self._folder / "ssh"),
            "ARGOCD_TLS_DATA_PATH": str(self._folder / "tls"),
            # a socket's path must be short, and a sandbox's folder need not be
            "ARGOCD_ASK_PASS_SOCK": f"@argocd-{secrets.token_hex(8)}",
            # for the ApplicationSet controller, the flag is not enough
            "KUBECONFIG": str(self._sandbox.kubeconfig),
            "HOME": str(self._folder / "temporary"),
            "PATH": f"{self._folder / 'bin'}:{inherited}",
            "TMPDIR": str(self._folder / "temporary"),
        }
