"""Finding the API server: pods, kubeconfigs, and what is wrong with them."""

import json
from pathlib import Path
from typing import Any

import pytest

from gitops_backup.cluster.configuration import find_configuration
from gitops_backup.errors import UsageError

TOKEN = "top-secret-token"


def write(path: Path, **changes: Any) -> Path:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://one.example:6443"}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
        **changes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def token_of(configuration: Any) -> str | None:
    value: str | None = configuration.auth_settings()["BearerToken"]["value"]
    return value


def pod(folder: Path) -> tuple[Path, dict[str, str]]:
    account = folder / "serviceaccount"
    account.mkdir()
    (account / "token").write_text("first")
    (account / "ca.crt").write_text("certificates")
    return account, {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOME": "/none"}


def test_a_pod_talks_to_the_cluster_around_it(tmp_path: Path) -> None:
    """With nothing asked for, the service account's files decide."""
    account, environ = pod(tmp_path)
    found = find_configuration(kubeconfig=None, context=None, environ=environ, service_account=account)
    assert (found.host, token_of(found)) == ("https://10.0.0.1:443", "bearer first")


@pytest.mark.parametrize("asked", ["argument", "environment", "context"])
def test_a_kubeconfig_that_is_asked_for_wins_over_the_pod(tmp_path: Path, asked: str) -> None:
    """An argument, KUBECONFIG or a context says that somewhere else is meant."""
    account, environ = pod(tmp_path)
    path = write(tmp_path / ".kube" / "config")
    environ["HOME"] = str(tmp_path)
    if asked == "environment":
        environ["KUBECONFIG"] = str(path)
    found = find_configuration(
        kubeconfig=path if asked == "argument" else None,
        context="x" if asked == "context" else None,
        environ=environ,
        service_account=account,
    )
    assert (found.host, token_of(found)) == ("https://one.example:6443", f"Bearer {TOKEN}")


def test_a_pod_without_a_usable_certificate_is_told_so(tmp_path: Path) -> None:
    """A half-mounted service account is one clear line."""
    account, environ = pod(tmp_path)
    (account / "ca.crt").unlink()
    with pytest.raises(UsageError, match="service account cannot be used: Service certification file"):
        find_configuration(kubeconfig=None, context=None, environ=environ, service_account=account)


def test_the_first_of_several_files_wins(tmp_path: Path) -> None:
    """A name, or the current context, that a file has is not taken from a later one."""
    first = write(tmp_path / "first", contexts=[], users=[])
    second = write(
        tmp_path / "second",
        clusters=[{"name": "c", "cluster": {"server": "https://two.example"}}],
        **{"current-context": "y"},
    )
    environ = {"KUBECONFIG": f"{first}:{tmp_path / 'missing'}:{second}"}
    found = find_configuration(kubeconfig=None, context=None, environ=environ)
    assert (found.host, token_of(found)) == ("https://one.example:6443", f"Bearer {TOKEN}")


def test_relative_paths_count_from_their_file(tmp_path: Path) -> None:
    """Authority and token file are found beside the kubeconfig, wherever the command is run."""
    folder = tmp_path / "kube"
    path = write(
        folder / "config",
        clusters=[{"name": "c", "cluster": {"server": "https://a.example", "certificate-authority": "ca"}}],
        users=[{"name": "u", "user": {"tokenFile": "token"}}],
    )
    (folder / "ca").write_text("certificates")
    (folder / "token").write_text("from-a-file")
    found = find_configuration(kubeconfig=path, context=None, environ={})
    assert (found.ssl_ca_cert, token_of(found)) == (str(folder / "ca"), "Bearer from-a-file")


def plugin(folder: Path, script: str) -> Path:
    program = folder / "plugin"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    version = "client.authentication.k8s.io/v1"
    execution = {"command": "./plugin", "apiVersion": version, "interactiveMode": "Never"}
    return write(folder / "config", users=[{"name": "u", "user": {"exec": execution}}])


def test_a_credential_plugin_is_asked(tmp_path: Path) -> None:
    """Its path may be relative to the kubeconfig, too."""
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from-a-plugin"},
    }
    path = plugin(tmp_path, f"echo '{json.dumps(answer)}'")
    found = find_configuration(kubeconfig=path, context=None, environ={})
    assert token_of(found) == "Bearer from-a-plugin"


def test_a_credential_plugin_that_fails_is_quoted_and_logs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the client would only have logged becomes the error."""
    path = plugin(tmp_path, "echo please log in first >&2; exit 3")
    with pytest.raises(
        UsageError, match=r"gives no credentials: exec: process returned 3. please log in first"
    ):
        find_configuration(kubeconfig=path, context=None, environ={})
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changes", "context", "expected"),
    [
        ({}, "y", "no context y in kubeconfig PATH (there are: x)"),
        ({"contexts": []}, "y", "no context y in kubeconfig PATH (there are: none)"),
        ({"current-context": ""}, None, "kubeconfig PATH has no current context (choose one of: x)"),
        ({"contexts": 5}, None, "kubeconfig PATH is malformed: expected contexts to be a list"),
        ({"users": [{"user": {}}]}, None, "kubeconfig PATH is malformed: an entry of users has no name"),
        ({"users": [TOKEN]}, None, "kubeconfig PATH is malformed: an entry of users has no name"),
        (
            {"clusters": [{"name": "c", "cluster": TOKEN}]},
            None,
            "kubeconfig PATH is malformed: c in clusters has no cluster",
        ),
        ({"clusters": []}, None, "context x of kubeconfig PATH is malformed: *name c in*"),
        *(
            (
                {"clusters": [{"name": "c", "cluster": cluster}]},
                None,
                f"context x of kubeconfig PATH is malformed: the cluster's server is no URL: {seen!r}",
            )
            for cluster, seen in (
                ({"insecure-skip-tls-verify": True}, ""),
                ({"server": "a.example:6443"}, "a.example:6443"),
                ({"server": "ftp://a.example/"}, "ftp://a.example"),
            )
        ),
        (
            {"clusters": [{"name": "c", "cluster": {"server": 5}}]},
            None,
            "context x of kubeconfig PATH is malformed: *",
        ),
        (
            {
                "clusters": [
                    {"name": "c", "cluster": {"server": "https://a", "certificate-authority-data": "a"}}
                ]
            },
            None,
            "context x of kubeconfig PATH is malformed: *",
        ),
        (
            {"users": [{"name": "u", "user": {"client-certificate": "gone"}}]},
            None,
            "context x of kubeconfig PATH is malformed: File does not exist: *",
        ),
    ],
)
def test_a_malformed_kubeconfig_is_one_line_without_its_secrets(
    tmp_path: Path, changes: dict[str, Any], context: str | None, expected: str
) -> None:
    """The line names the file and the place, and repeats no contents."""
    path = write(tmp_path / "config", **changes)
    with pytest.raises(UsageError) as raised:
        find_configuration(kubeconfig=path, context=context, environ={})
    line = str(raised.value).replace(str(path), "PATH")
    head, *tail = expected.split("*")
    assert line.startswith(head)
    assert all(part in line for part in tail)
    assert TOKEN not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: b: c\n", "is no YAML in line 1, column 5: mapping values are not allowed here"),
        (b"\xff\xfe\xff", "is no YAML"),
        (b"just words", "is malformed: expected a mapping"),
        (b"", "is malformed: expected a mapping"),
    ],
)
def test_what_is_no_kubeconfig_at_all_is_one_line(tmp_path: Path, content: bytes, expected: str) -> None:
    """With the place, where the parser knows it."""
    path = tmp_path / "config"
    path.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        find_configuration(kubeconfig=path, context=None, environ={})
    assert str(raised.value) == f"kubeconfig {path} {expected}"


def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    """Whichever way it was asked for."""
    missing = tmp_path / "missing"
    with pytest.raises(UsageError, match=f"^no kubeconfig at {missing}$"):
        find_configuration(kubeconfig=missing, context=None, environ={})
    with pytest.raises(UsageError, match=f"^no kubeconfig at {missing}, which KUBECONFIG names$"):
        find_configuration(kubeconfig=None, context=None, environ={"KUBECONFIG": str(missing)})
    with pytest.raises(UsageError, match=r"^no kubeconfig: not in a cluster, KUBECONFIG is not set and "):
        find_configuration(kubeconfig=None, context=None, environ={"HOME": str(tmp_path)})
    with pytest.raises(UsageError, match=f"^kubeconfig {tmp_path} cannot be read: Is a directory$"):
        find_configuration(kubeconfig=tmp_path, context=None, environ={})
