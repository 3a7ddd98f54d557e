"""A control plane of two real programs, etcd and kube-apiserver, with RBAC on.

There is no controller manager, no scheduler and no kubelet. So the admission plugin that wants a default
ServiceAccount in each namespace is off, nobody makes pods, and a namespace that is deleted stays
`Terminating`. etcd does not wait for the disk: its state ends with the sandbox. Nor does it wait long for
other members of its cluster: there are none.
"""

import base64
import secrets
from collections.abc import Sequence
from pathlib import Path

import urllib3
import yaml

from gitops_backup.sandbox.api import Api
from gitops_backup.sandbox.programs import Program, Programs
from gitops_backup.sandbox.servers import LOOPBACK, start_server

_SECONDS_A_TOKEN_LASTS = 24 * 3600
_ISSUER = "https://kubernetes.default.svc"
_SMALLEST_ORDER_BITS = 0x7F


class ControlPlane:
    """etcd and kube-apiserver, running; `api` speaks to them as an administrator.

    `folder` gets their state, their logs and the kubeconfigs.
    """

    def __init__(self, *, programs: Programs, binaries: dict[str, Path], folder: Path) -> None:
        self._programs = programs
        self._binaries = binaries
        self._folder = folder
        self._token = secrets.token_urlsafe(24)
        self._write_keys()
        self._etcd, self._etcd_port = self._start_etcd()
        self._server, self._port = self._start_api_server()
        self.api = self._client()
        self.kubeconfig = self._write_kubeconfig("admin", self._token)

    @property
    def url(self) -> str:
        """The address of the API server."""
        return f"https://{LOOPBACK}:{self._port}"

    @property
    def signing_key(self) -> Path:
        """The private key that tokens of ServiceAccounts are signed with."""
        return self._folder / "service-accounts.key"

    def kubeconfig_for(self, service_account: str, namespace: str) -> Path:
        """A kubeconfig with a token, valid for a day, of this ServiceAccount, created when missing."""
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        if self.api.find(f"{accounts}/{service_account}") is None:
            metadata = {"name": service_account, "namespace": namespace}
            self.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": _SECONDS_A_TOKEN_LASTS},
        }
        answer = self.api.request("POST", f"{accounts}/{service_account}/token", request)
        return self._write_kubeconfig(f"{namespace}.{service_account}", answer["status"]["token"])

    def interrupt(self) -> None:
        """Kill the API server, leaving what it stored; `resume` starts it again."""
        self._server.kill()

    def resume(self) -> None:
        """Start the API server again, at the same address, with what was stored."""
        self._server, _ = start_server(
            lambda _: self._launch_api_server(self._port), ready=lambda _: self.api.ready(), ports=0
        )

    def close(self) -> None:
        """Close the client's connections; the servers end with their `Programs`."""
        self.api.close()

    @property
    def _authority(self) -> Path:
        # the server makes a certificate for itself; the file has the one of its authority, too
        return self._folder / "certificates" / "apiserver.crt"

    def _write_keys(self) -> None:
        (self._folder / "certificates").mkdir(parents=True)
        tokens = self._folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f"{self._token},admin,admin,system:masters\n")
        self.signing_key.touch(mode=0o600)
        self.signing_key.write_text(_new_signing_key())

    def _start_etcd(self) -> tuple[Program, int]:
        program, (port, _) = start_server(self._launch_etcd, ready=lambda at: _is_healthy(at[0]), ports=2)
        return program, port

    def _launch_etcd(self, ports: Sequence[int]) -> Program:
        clients, peers = (f"http://{LOOPBACK}:{port}" for port in ports)
        return self._programs.start(
            "etcd",
            [
                self._binaries["etcd"],
                f"--data-dir={self._folder / 'etcd'}",
                f"--listen-client-urls={clients}",
                f"--advertise-client-urls={clients}",
                f"--listen-peer-urls={peers}",
                f"--initial-advertise-peer-urls={peers}",
                f"--initial-cluster=default={peers}",
                "--unsafe-no-fsync",
                "--heartbeat-interval=10",
                "--election-timeout=100",
                "--log-level=warn",
            ],
            log=self._folder / "etcd.log",
        )

    def _start_api_server(self) -> tuple[Program, int]:
        program, (port,) = start_server(
            lambda at: self._launch_api_server(at[0]), ready=lambda at: self._is_ready_at(at[0])
        )
        return program, port

    def _launch_api_server(self, port: int) -> Program:
        return self._programs.start(
            "kube-apiserver",
            [
                self._binaries["kube-apiserver"],
                f"--etcd-servers=http://{LOOPBACK}:{self._etcd_port}",
                f"--cert-dir={self._folder / 'certificates'}",
                f"--secure-port={port}",
                f"--bind-address={LOOPBACK}",
                f"--advertise-address={LOOPBACK}",
                "--endpoint-reconciler-type=none",
                "--service-cluster-ip-range=10.0.0.0/24",
                "--authorization-mode=RBAC",
                f"--token-auth-file={self._folder / 'tokens.csv'}",
                f"--service-account-issuer={_ISSUER}",
                f"--service-account-key-file={self.signing_key}",
                f"--service-account-signing-key-file={self.signing_key}",
                "--allow-privileged=true",
                "--disable-admission-plugins=ServiceAccount",
            ],
            log=self._folder / "kube-apiserver.log",
        )

    def _is_ready_at(self, port: int) -> bool:
        self._port = port
        if not self._authority.exists():
            return False
        api = self._client()
        try:
            return api.ready()
        finally:
            api.close()

    def _client(self) -> Api:
        return Api(server=self.url, authority=self._authority, token=self._token)

    def _write_kubeconfig(self, name: str, token: str) -> Path:
        authority = base64.b64encode(self._authority.read_bytes()).decode()
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "sandbox",
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": name}}],
            "clusters": [
                {
                    "name": "sandbox",
                    "cluster": {"server": self.url, "certificate-authority-data": authority},
                }
            ],
            "users": [{"name": name, "user": {"token": token}}],
        }
        path = self._folder / f"{name}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path


def _is_healthy(port: int) -> bool:
    with urllib3.PoolManager(retries=False, timeout=2.0) as pool:
        try:
            return pool.request("GET", f"http://{LOOPBACK}:{port}/health").status == 200
        except urllib3.exceptions.HTTPError:
            return False


def _new_signing_key() -> str:
    """A private key on the curve P-256 as RFC 5915 has it, without the public half: that can be computed."""
    scalar = bytearray(secrets.token_bytes(32))
    scalar[0] &= _SMALLEST_ORDER_BITS
    der = bytes.fromhex("30310201010420") + bytes(scalar) + bytes.fromhex("a00a06082a8648ce3d030107")
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n"
