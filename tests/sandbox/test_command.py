"""`gitops-backup sandbox up` and `down`, run as a user runs them, and the samples."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from gitops_backup.domain.images import Reference
from gitops_backup.process import run
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from gitops_backup.sandbox.workloads import live, wait_until_rolled_out
from gitops_backup.settings import load

_COMMAND = [sys.executable, "-m", "gitops_backup", "sandbox"]


@contextmanager
def _up(name: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The running command, and what it says about the sandbox."""
    argv = [*_COMMAND, "up", "--name", name, *options]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            told = {}
            for line in process.stdout:
                title, _, value = line.partition(":")
                told[title] = value.strip()
                if title == "here":
                    break
            yield process, told
        finally:
            process.kill()


def test_it_stays_up_until_ctrl_c() -> None:
    """What it prints can be used; afterwards the exit code is 0 and nothing is left."""
    with _up(f"up-{os.getpid()}", "--samples") as (process, told):
        kubeconfig = Path(told["kubeconfig"])
        assert yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"].startswith(
            "https://"
        )
        settings = load(file=Path(told["settings"]), environment={}, flags={})
        assert settings.backup_repository == "docker.io/marcosquesada"
        assert settings.registries["quay.io"].insecure
        for secret in (told["kubeconfig"], told["settings"]):
            assert Path(secret).stat().st_mode & 0o077 == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert not kubeconfig.exists()


def test_down_ends_it_from_another_shell() -> None:
    """And says so when there is nothing to end."""
    name = f"down-{os.getpid()}"
    with _up(name, "--quiet") as (process, _):
        down = [*_COMMAND, "down", "--name", name]
        assert run(down, timeout=60).returncode == 0
        assert process.wait(20) == 0
        again = run(down, timeout=60)
    assert again.returncode == 2
    assert re.search(rb"no sandbox named \S+ is running", again.stderr)


def test_each_sample_does_what_it_says(clean_sandbox: Sandbox) -> None:
    """All of them roll out from the sandbox's images but the one that never gets ready."""
    objects = clean_sandbox.apply(*clean_sandbox.samples())
    workloads = [each for each in objects if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in workloads} >= {"nginx", "fluentd", "kube-system"}
    for each in workloads:
        if each["metadata"]["name"] != "broken":
            wait_until_rolled_out(clean_sandbox.api, each)
    (broken,) = (each for each in workloads if each["metadata"]["name"] == "broken")
    until(lambda: live(clean_sandbox.api, broken).get("status"), what="its status")
    assert "availableReplicas" not in live(clean_sandbox.api, broken)["status"]
    clean_sandbox.reset()


@pytest.mark.parametrize(
    ("file", "image"),
    [("nginx.yaml", "nginx:1.14.0"), ("fluentd.yaml", "fluentd:latest")],
)
def test_the_samples_of_the_earlier_system_are_there(sandbox: Sandbox, file: str, image: str) -> None:
    """Under the names that its users know, and upstream has their images."""
    (path,) = (path for path in sandbox.samples() if path.name == file)
    *_, workload = yaml.safe_load_all(path.read_text())
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert container["image"] == image
    assert sandbox.digest(image)


def test_the_sample_by_digest_names_an_image_that_upstream_has(sandbox: Sandbox) -> None:
    """With a digest that was written down, not looked up."""
    (path,) = (path for path in sandbox.samples() if path.name == "digest.yaml")
    *_, workload = yaml.safe_load_all(path.read_text())
    image = workload["spec"]["template"]["spec"]["containers"][0]["image"]
    assert Reference.parse(image).digest == sandbox.digest("redis:7.2")
