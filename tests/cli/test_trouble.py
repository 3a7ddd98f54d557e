"""Trouble with one registry or one repository while the controller runs: a reason, and no end of anything."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitops_backup.domain.reasons import EXPLANATIONS, Reason
from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from tests.cli.command import COMMAND, PROJECT, command
from tests.cli.conftest import Options
from tests.cli.shop import NOWHERE, Shop

_BACKUPS = "/apis/k8slab.io/v1alpha1/namespaces/image-backup/imagebackups"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/image-backup/leases"
_PREFIX = Sandbox.backup_repository


@pytest.fixture
def shop(sandbox: Sandbox) -> Iterator[Shop]:
    """An empty shop in an empty cluster."""
    sandbox.reset()
    sandbox.namespace("image-backup")
    yield Shop(sandbox, sandbox.namespace("troubled"), "troubled", "")
    sandbox.reset()


@contextmanager
def _running(options: Options, mode: str, *, log: Path, env: dict[str, str] | None = None) -> Iterator[None]:
    """The controller; it must be there at the end, and end in good order."""
    with log.open("wb") as out:
        arguments = [*COMMAND, *map(str, options), "run", "--mode", mode]
        process = subprocess.Popen(arguments, stderr=out, cwd=PROJECT, env=env)
    try:
        yield
        assert process.poll() is None, log.read_text()
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def _image(shop: Shop, name: str) -> str:
    found = shop.sandbox.api.get(f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/{name}")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def _told(shop: Shop, name: str, reason: str) -> Json | None:
    events = shop.sandbox.api.items("/apis/events.k8s.io/v1/events")
    return next((e for e in events if e["regarding"]["name"] == name and e["reason"] == reason), None)


def test_a_backup_registry_that_refuses_the_credentials_is_a_reason(
    options: Options, shop: Shop, tmp_path: Path
) -> None:
    """The controller goes on; ImageBackup and report name the reason, and what to do about it."""
    sandbox = shop.sandbox
    sandbox.push("acme/locked:1")
    sandbox.apply(shop.deployment("locked", "acme/locked:1"))
    shop.wait("locked")
    env = {"GITOPS_BACKUP_BACKUP_REPOSITORY_PASSWORD": "hunter2", "PATH": "/usr/bin:/bin"}
    with _running(options, "direct", log=tmp_path / "log", env=env):

        def failed() -> bool:
            statuses = (each.get("status", {}) for each in sandbox.api.items(_BACKUPS))
            return any(status.get("phase") == "FAILED" for status in statuses)

        until(failed, what="the copy to fail")
    answer = command(*options, "report", "--mode", "direct", "-n", shop.namespace, "--exit-code")
    assert answer.code == 1
    assert "Blocked: DestinationAuthFailed" in answer.out
    assert "docker.io/acme/locked:1   Failed   1           " in answer.out
    lines = answer.out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("DestinationAuthFailed, 1 workload: "))
    assert lines[at + 1] == f"  {EXPLANATIONS[Reason.DESTINATION_AUTH_FAILED].remedy}"
    assert "hunter2" not in answer.out + (tmp_path / "log").read_text()
    assert _image(shop, "locked") == "acme/locked:1"


def test_a_repository_that_cannot_be_cloned_holds_up_no_other(
    options: Options, shop: Shop, tmp_path: Path
) -> None:
    """Its workloads' events say why; what another repository has is committed."""
    sandbox = shop.sandbox
    sandbox.push("acme/committed:1")
    url = sandbox.git.create("troubled", {"app.yaml": shop.file("committed", "acme/committed:1")})
    sandbox.apply(
        shop.application("good", url, "."),
        shop.application("bad", NOWHERE, "."),
        shop.tracked("lost", "acme/committed:1", by="bad"),
    )
    shop.wait("committed", "lost")
    with _running(options, "gitops", log=tmp_path / "log"):
        backup = f"{_PREFIX}/acme_committed:1"
        until(lambda: _image(shop, "committed") == backup, what="the good one to be committed and synced")
        event = until(lambda: _told(shop, "lost", "RepositoryUnavailable"), what="an event on the other")
    assert event["type"] == "Warning"
    assert f"{NOWHERE} cannot be reached" in event["note"]
    assert _image(shop, "lost") == "acme/committed:1"
    report = command(*options, "report", "--mode", "gitops", "-n", shop.namespace).out
    assert re.search("acme/committed:1 +Blocked: RepositoryUnavailable$", report, re.MULTILINE)
    assert re.search(f"{backup} +Keep$", report, re.MULTILINE)
    assert "those of 2 of 2 containers in scope, 100%; in use already: 1." in report
