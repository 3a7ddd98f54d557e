"""The controller as its users run it: a process with settings, a ServiceAccount's rights, and real servers.

Nothing of the product is imported here but the sandbox's own parts. What a controller shows to the outside is
all that is looked at: objects, the registries, Git, its log, its metrics, and its exit code.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3
import yaml

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from tests.end_to_end.installation import grant

SECONDS_TO_STOP = 10.0

_PROJECT = Path(__file__).resolve().parents[2]
_SECONDS_TO_START = 30.0
_OF_THE_PRODUCT = ("GITOPS_BACKUP_", "BACKUP_REPOSITORY")


class Controller:
    """A replica of the controller in this mode, from enter to exit; `settings` are added to the sandbox's.

    Passwords reach it as they would in a cluster: those of the registry through the environment, those of Git
    as mounted files. At the exit it is stopped, if it still runs, and must end in time and in good order; its
    log must not speak of an error. `rights` are those of argocd/rights that it is given beside its mode's.
    """

    def __init__(
        self, sandbox: Sandbox, mode: str, *, folder: Path, rights: Sequence[str] = (), **settings: Any
    ) -> None:
        self.sandbox = sandbox
        self.mode = mode
        self._folder = folder
        self._rights = rights
        self._log = folder / "log"
        self._settings = {
            **sandbox.settings,
            "listen": "127.0.0.1",
            "probes_port": 0,
            "metrics_port": 0,
            "cache": str(folder / "cache"),
            **settings,
        }
        self._process: subprocess.Popen[bytes]
        self._stopped: list[int] = []
        self._may_fail = False

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        kubeconfig = grant(self.sandbox, self.mode, *self._rights)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gitops_backup"),
                    *("--kubeconfig", kubeconfig, "--config", self._write_settings()),
                    *("--log-format", "json", "-v", "run", "--mode", self.mode),
                ],
                env=self._environment(),
                cwd=_PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            until(self._has_started, what="the controller to be ready", timeout=_SECONDS_TO_START)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.running and error is None:
                self.resume()
                self.stop()
        finally:
            self.kill()
        if error is None:
            assert self._may_fail or not self.errors, self.errors
        else:
            error.add_note(f"the last lines of the controller's log:\n{self._last_words()}")

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    @property
    def log(self) -> list[Json]:
        """The log's lines; what is not JSON is a line with the level `raw`."""
        return [_line(text) for text in self.log_text.splitlines()]

    @property
    def log_text(self) -> str:
        """The log as it is."""
        return self._log.read_text(errors="replace")

    @property
    def errors(self) -> list[Json]:
        """The lines of the log that must not be there in a run in good order."""
        return [line for line in self.log if line["level"] in ("error", "critical", "raw")]

    def said(self, event: str) -> list[Json]:
        """The lines of the log with this message."""
        return [line for line in self.log if line["event"] == event]

    @property
    def leads(self) -> bool:
        """Whether it was said that this replica leads."""
        return bool(self.said("this replica leads"))

    def metrics(self) -> str:
        """What Prometheus would read."""
        return _get(f"http://127.0.0.1:{self._started['metrics']}/metrics")[1]

    def images(self, action: str, reason: str = "") -> int:
        """How many containers have this next action for this reason, as the metrics say."""
        return self.metric("gitops_backup_images", action=action, reason=reason)

    def metric(self, name: str, **labels: str) -> int:
        """The sum of a metric's series with these labels; 0 where there is none."""
        total = 0.0
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        for line in self.metrics().splitlines():
            series, _, value = line.rpartition(" ")
            found, _, listed = series.partition("{")
            if found == name and wanted <= set(listed.rstrip("}").split(",")):
                total += float(value)
        return int(total)

    def stop(self) -> None:
        """SIGTERM, as a kubelet sends it; the end must come in time, with the exit code 0."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the controller did not end within {SECONDS_TO_STOP:g} s") from None
        assert code == 0, f"the controller ended with {code}"

    def kill(self) -> None:
        """SIGKILL; programs that it started may run on for a while."""
        self.resume()
        if self.running:
            self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP, to it and to the programs that it started."""
        os.kill(self._process.pid, signal.SIGSTOP)
        self._stopped = [self._process.pid]
        for child in _descendants(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGSTOP)
                self._stopped.append(child)

    def resume(self) -> None:
        """SIGCONT, to whom `pause` stopped."""
        for process in reversed(self._stopped):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        self._stopped = []

    def ended_by_itself(self, timeout: float = 30.0) -> int:
        """Wait for the end that it chooses itself, and return the exit code; its log may tell of an error."""
        self._may_fail = True
        return self._process.wait(timeout)

    def programs(self) -> dict[int, str]:
        """The command lines of the programs that it runs at the moment, and its own, by process."""
        found = [self._process.pid, *_descendants(self._process.pid)]
        return {pid: _command_line(pid) for pid in found}

    def still_there(self, programs: Mapping[int, str]) -> list[str]:
        """Those of `programs` that still run."""
        return [line for pid, line in programs.items() if line and _command_line(pid) == line]

    @property
    def _started(self) -> Json:
        return self.said("started")[-1]

    def _has_started(self) -> bool:
        if not self.running:
            raise AssertionError(f"the controller ended with {self._process.returncode}: {self.log_text}")
        return bool(self.said("started")) and self._ready()

    def _ready(self) -> bool:
        return _get(f"http://127.0.0.1:{self._started['probes']}/readyz")[0] == 200

    def _write_settings(self) -> Path:
        path = self._folder / "settings.yaml"
        secret = {"backup_repository_username", "backup_repository_password", "git_username", "git_password"}
        shown = {name: value for name, value in self._settings.items() if name not in secret}
        git = self._folder / "git-credentials"
        git.mkdir(exist_ok=True)
        for name in ("username", "password"):
            (git / name).write_text(f"{self._settings[f'git_{name}']}\n")
        path.write_text(yaml.safe_dump({**shown, "git_credentials": str(git)}))
        return path

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_PRODUCT)}
        kept.pop("KUBECONFIG", None)
        return kept | {
            "BACKUP_REPOSITORY_USERNAME": self._settings["backup_repository_username"],
            "BACKUP_REPOSITORY_PASSWORD": self._settings["backup_repository_password"],
        }

    def _last_words(self) -> str:
        last = [{**line, "exception": line.get("exception", "")[-400:]} for line in self.log[-20:]]
        return "\n".join(" ".join(f"{name}={line[name]}" for name in line if line[name]) for line in last)


def wait(seconds: float) -> None:
    """Let time pass, to see that nothing happens."""
    time.sleep(seconds)


def _line(text: str) -> Json:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    return line if isinstance(line, dict) else {"level": "raw", "event": text}


def _get(url: str) -> tuple[int, str]:
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        try:
            answer = pool.request("GET", url)
        except urllib3.exceptions.HTTPError:
            return 0, ""
        return answer.status, answer.data.decode()


def _descendants(pid: int) -> list[int]:
    parents = dict(_parents())
    found: list[int] = []
    generation = [pid]
    while generation:
        generation = [child for child, parent in parents.items() if parent in generation]
        found += generation
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            stat = _read(str(folder / "stat"))
            if stat:
                yield int(folder.name), int(stat.rpartition(")")[2].split()[1])


def _command_line(pid: int) -> str:
    return _read(f"/proc/{pid}/cmdline").replace("\0", " ")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
