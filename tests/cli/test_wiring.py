"""From settings to the parts: whose credentials are used, and what a controller may see."""

import threading
from pathlib import Path
from typing import Any

import pytest

from gitops_backup.cli.wiring import Feed, open_registries, permissions
from gitops_backup.cluster.keys import ObjectKey
from gitops_backup.cluster.writer import directive_of
from gitops_backup.domain.images import Reference
from gitops_backup.domain.policy import Mode, Unmanaged
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import Kind
from gitops_backup.errors import UsageError
from gitops_backup.registry.failures import CopyFailed
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.settings import load
from tests.controller.cluster import inventory, policy
from tests.registry.proxy import ProxyServer

_ABSENT = Reference.parse(f"{Sandbox.backup_repository}/nothing:1")


def _held(sandbox: Sandbox, **flags: Any) -> str | None:
    settings = load(file=sandbox.settings_file, environment={}, flags=flags)
    rules = settings.policy(mode=Mode.DIRECT)
    with open_registries(settings, rules, threading.Event()) as registries:
        return registries.held(_ABSENT)


@pytest.mark.parametrize("name", ["password", "passowrd"])
def test_credentials_may_be_a_folder_as_a_secret_is_mounted(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """Its files win over a user name and a password; the second spelling is that of the earlier system."""
    (tmp_path / "username").write_text(f"{sandbox.backup.username}\n")
    (tmp_path / name).write_text(f"{sandbox.backup.password}\n")
    wrong = {"backup_repository_username": "me", "backup_repository_password": "wrong"}
    assert _held(sandbox, backup_credentials=str(tmp_path), **wrong) is None
    with pytest.raises(CopyFailed) as refused:
        _held(sandbox, **wrong)
    assert refused.value.reason == Reason.DESTINATION_AUTH_FAILED


def test_proxies_are_those_of_the_environment(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As for every program in Go; a wrong one ends the start, and its password is not shown."""
    place = {_ABSENT.registry: {"location": "bak.test", "insecure": True}}
    with ProxyServer({"bak.test:80": sandbox.backup.address}) as proxy:
        for name, value in proxy.environment().items():
            monkeypatch.setenv(name, value)
        assert _held(sandbox, registries=place) is None
        assert len(proxy.asked) == 3
        monkeypatch.setenv("NO_PROXY", ".test")
        with pytest.raises(CopyFailed) as caught:
            _held(sandbox, registries=place)
        assert caught.value.reason == Reason.DESTINATION_UNAVAILABLE
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@p:1")
    with pytest.raises(UsageError, match="HTTPS_PROXY names a proxy of the kind socks5://") as refused:
        _held(sandbox)
    assert "secret" not in str(refused.value)


def test_files_that_are_no_text_are_not_shown(sandbox: Sandbox, tmp_path: Path) -> None:
    """The folder is named, and nothing of what is in it."""
    (tmp_path / "username").write_text("me")
    (tmp_path / "password").write_bytes(b"hunter\xff")
    with pytest.raises(UsageError) as caught:
        _held(sandbox, backup_credentials=str(tmp_path))
    assert str(caught.value) == f"the files in {tmp_path} are not UTF-8 text"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("empty", ["username", "password"])
def test_files_that_are_empty_are_no_credentials(sandbox: Sandbox, tmp_path: Path, empty: str) -> None:
    """Somebody may be about to write them."""
    for name in ("username", "password"):
        (tmp_path / name).write_text("\n" if name == empty else "me")
    with pytest.raises(UsageError, match="is empty"):
        _held(sandbox, backup_credentials=str(tmp_path))


def _may(mode: Mode, **more: Any) -> set[str]:
    return {str(each) for each in permissions(policy(mode, **more), applications=True)}


def test_each_mode_asks_for_no_more_than_it_needs() -> None:
    """Report reads alone; only direct mode, or patching what nobody tracks, touches workloads."""
    report, gitops, direct = _may(Mode.REPORT), _may(Mode.GITOPS), _may(Mode.DIRECT)
    assert {each.split()[0] for each in report} == {"list", "watch"}
    assert report < gitops
    assert report < direct
    patches = "patch deployments.apps in all namespaces"
    refreshes = "patch applications.argoproj.io in all namespaces"
    assert [each in may for may in (gitops, direct) for each in (patches, refreshes)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert patches in _may(Mode.GITOPS, unmanaged=Unmanaged.PATCH)
    without = permissions(policy(Mode.GITOPS), applications=False)
    assert not [each for each in without if "applications" in str(each)]


def _pod(namespace: str) -> dict[str, Any]:
    owner = {"kind": "DaemonSet", "name": "agent", "controller": True}
    return {
        "metadata": {"namespace": namespace, "name": "agent-1", "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "c0", "image": "fluentd"}]},
        "status": {"containerStatuses": [{"name": "c0", "imageID": "x@sha256:" + "a" * 64}]},
    }


def test_what_is_never_looked_at_is_not_remembered() -> None:
    """Pods of restricted namespaces, and Applications where Argo CD does not look for any."""
    feed = Feed(inventory(), policy(), lambda concerned: None)
    assert feed.project_pod(_pod("kube-system")) is None
    assert feed.project_pod(_pod("shop")) is not None
    application = {"metadata": {"namespace": "argocd", "name": "shop"}, "spec": {}}
    assert feed.project_application(application) is not None
    application["metadata"]["namespace"] = "somebodys"
    assert feed.project_application(application) is None


def test_every_change_wakes_whom_it_concerns() -> None:
    """What a watch brings is in the inventory when they are woken."""
    woken: list[str] = []
    known = inventory()
    feed = Feed(known, policy(), lambda concerned: woken.extend(key.name for key in concerned.workloads))
    project, put = feed.workload(Kind.DAEMON_SET)
    put(ObjectKey("shop", "agent"), project({"metadata": {"namespace": "shop", "name": "agent"}}))
    feed.put_pod(ObjectKey("shop", "agent-1"), feed.project_pod(_pod("shop")))
    namespace = {"metadata": {"name": "shop", "annotations": {"k8slab.io/image-backup": "ignore"}}}
    feed.put_namespace(ObjectKey("", "shop"), directive_of(namespace))
    feed.put_namespace(ObjectKey("", "shop"), directive_of({"metadata": {"name": "shop"}}))
    assert woken == ["agent"] * 4
    assert [workload.key.name for workload in known.workloads()] == ["agent"]
