"""`gitops-backup report`: what is in it, in which form, and what the exit code says."""

import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gitops_backup.process import Completed, run
from gitops_backup.sandbox.sandbox import Sandbox
from tests.cli.command import COMMAND, PROJECT, Answer, command
from tests.cli.conftest import Options
from tests.cli.shop import NOWHERE, Shop, open_shop

_PREFIX = Sandbox.backup_repository
_ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def shop(sandbox: Sandbox) -> Iterator[Shop]:
    """A cluster with a bit of everything."""
    sandbox.reset()
    yield open_shop(sandbox)
    sandbox.reset()


@pytest.fixture(scope="module")
def gitops(options: Options, shop: Shop) -> Answer:
    """The report of mode gitops, as a pipe has it."""
    return _report(options, shop, "--mode", "gitops")


def _report(options: Options, shop: Shop, *arguments: str) -> Answer:
    return command(*options, "report", "-n", shop.namespace, *arguments)


def _json(options: Options, shop: Shop, *arguments: str) -> dict[str, Any]:
    answer = _report(options, shop, "-o", "json", *arguments)
    assert (answer.code, answer.err) == (0, "")
    report: dict[str, Any] = json.loads(answer.out)
    return report


def _rows(answer: Answer) -> dict[str, str]:
    """The phrase under NEXT, by the workload's name and its container's."""
    table = answer.out.partition("\n\n")[0].splitlines()[1:]
    cells = [re.split(" {3,}", line) for line in table]
    return {f"{each[0].rpartition('/')[2]} {each[1]}": each[3] for each in cells}


def _on_a_terminal(arguments: list[str], *, width: int, env: dict[str, str]) -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        os.chdir(PROJECT)
        os.execve(sys.executable, arguments, {"PATH": os.environ["PATH"], "TERM": "xterm", **env})  # noqa: S606
    shown = b""
    while chunk := _read(terminal):
        shown += chunk
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how a terminal says that nobody holds its other end
        return b""


def _git(*arguments: str, cwd: Path, patch: bytes | None = None) -> Completed:
    return run(["git", *arguments], timeout=30, cwd=cwd, input=patch)


def _clone(shop: Shop, repository: str, folder: Path) -> Path:
    done = _git("clone", "--quiet", str(shop.sandbox.git.path(repository)), str(folder), cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


def _changed_lines(clone: Path) -> list[str]:
    diff = _git("diff", "--unified=0", cwd=clone).stdout.decode()
    return [line for line in diff.splitlines() if re.match(r"[-+](?![-+])", line)]


def test_each_container_has_a_line_that_says_what_is_next(gitops: Answer, shop: Shop) -> None:
    """Where it is written in Git, or why it is not changed; what is wrong with one stops no other."""
    assert (gitops.code, gitops.err) == (0, "")
    assert _rows(gitops) == {
        "alone main": "Copy, then blocked: NotInGit",
        "api main": "Copy, then commit to [2] apps/api.yaml:19",
        "broken main": "Copy, then blocked: InvalidManifest",
        "charted main": "Copy, then blocked: UnsupportedSource",
        "far main": "Copy, then commit to [1] far.yaml:19",
        "fine main": "Copy, then commit to [2] mixed/fine.yaml:19",
        "lost main": "Copy, then blocked: RepositoryUnavailable",
        "typo main": "Blocked: InvalidReference",
        "unready main": "Wait: NotReady",
        "web init (init)": "Copy, then commit to [2] apps/web.yaml:22",
        "web main": "Copy, then commit to [2] apps/web.yaml:19",
    }
    lines = gitops.out.splitlines()
    git = shop.sandbox.git
    for number, name in enumerate((shop.other, shop.repository), start=1):
        commit = (git.head(name) or "")[:12]
        assert f"[{number}] {git.root}/{name} main at {commit}" in lines
    assert f"docker.io/library/redis:7.2      Missing   6           {_PREFIX}/library_redis:7.2" in lines


def test_the_reasons_say_what_they_mean_and_what_to_do(gitops: Answer) -> None:
    """The place in a file that is no YAML, the shape of a source, the word of a server; each once."""
    lines = gitops.out.splitlines()
    pairs = [(line, after) for line, after in pairwise(lines) if ", 1 workload:" in line]
    told = {line.partition(",")[0]: (line, after) for line, after in pairs}
    assert " ".join(sorted(told)) == (
        "InvalidManifest InvalidReference NotInGit NotReady RepositoryUnavailable UnsupportedSource"
    )
    assert "InvalidManifest, 1 workload: mixed/broken.yaml, line 6, column 5: " in told["InvalidManifest"][0]
    reason, remedy = told["UnsupportedSource"]
    what = "the source is rendered by a config management plugin from chart"
    assert reason == f"UnsupportedSource, 1 workload: {what}"
    assert remedy == "  Change the image in the source by hand."
    assert f"{NOWHERE} cannot be reached" in told["RepositoryUnavailable"][0]
    assert "'redis:7.2:' is not an image reference" in told["InvalidReference"][0]


def test_the_numbers_add_up(gitops: Answer) -> None:
    """Every container in scope is counted once, and the sentence says the same as the table."""
    assert gitops.out.endswith(
        "\n11 containers in 10 workloads, planned for mode gitops: 3 images to copy,"
        " 0 containers to rewrite now, 5 once copied, 1 waiting, 5 blocked.\n"
        "Images that would outlive every foreign registry: those of 0 of 11 containers in scope, 0%;"
        " in use already: 0.\n"
    )


def test_in_a_pipe_rows_are_whole_and_without_colours(options: Options, shop: Shop, gitops: Answer) -> None:
    """However narrow the terminal is said to be."""
    env = {"COLUMNS": "40", "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "TERM": "xterm"}
    narrow = command(*options, "report", "-n", shop.namespace, "--mode", "gitops", env=env)
    assert narrow.out == gitops.out
    assert _ESCAPE not in narrow.out
    assert max(map(len, narrow.out.splitlines())) > 100


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["terminal", "NO_COLOR", "dumb"],
)
def test_on_a_terminal_lines_fit_and_colours_can_be_refused(
    options: Options, shop: Shop, env: dict[str, str], coloured: bool
) -> None:
    """No line of the tables is longer than the terminal is wide."""
    arguments = [*COMMAND, *map(str, options), "report", "-n", shop.namespace, "--mode", "direct"]
    shown = _on_a_terminal(arguments, width=70, env=env)
    assert (_ESCAPE in shown) == coloured
    plain = re.sub(r"\x1b\[\d*m", "", shown)
    assert max(map(len, plain.splitlines())) <= 70
    assert "Copy, then" in plain


def test_json_fits_the_published_schema(options: Options, shop: Shop) -> None:
    """And says all that the table says, with what a program needs besides."""
    report = _json(options, shop, "--mode", "gitops", "--diff")
    schema = json.loads((PROJECT / "docs" / "report.schema.json").read_bytes())
    Draft202012Validator(schema).validate(report)
    assert report["format"] == "gitops-backup/report/v1"
    web = next(each for each in report["workloads"] if each["name"] == "web")
    assert web["application"] == f"argocd/{shop.namespace}-apps"
    init, main = web["containers"]
    assert (init["image"], init["init"], main["init"]) == ("quay.io/acme/tool:2", True, False)
    assert (main["action"], main["then"], main["reason"]) == ("Copy", "Commit", None)
    assert main["place"] == {
        "repository": f"{shop.sandbox.git.root}/{shop.repository}",
        "branch": "main",
        "commit": shop.sandbox.git.head(shop.repository),
        "path": "apps/web.yaml",
        "line": 19,
        "line_before": 19,
        "new": False,
    }
    assert len(report["problems"]) == 1
    assert shop.sandbox.git.password not in json.dumps(report)
    assert shop.sandbox.backup.password not in json.dumps(report)


def test_git_applies_the_diff_as_it_is(options: Options, shop: Shop, tmp_path: Path) -> None:
    """With the tables around it; nothing but the images changes."""
    clone = _clone(shop, shop.repository, tmp_path / "clone")
    answer = _report(options, shop, "--mode", "gitops", "--diff", "-l", "app in (api, web, alone)")
    applied = _git("apply", "--verbose", "-", cwd=clone, patch=answer.out.encode())
    assert applied.returncode == 0, applied.stderr
    assert _changed_lines(clone) == [
        "-        image: nginx:1.14.0",
        f"+        image: {_PREFIX}/library_nginx:1.14.0",
        "-        image: nginx:1.14.0",
        f"+        image: {_PREFIX}/library_nginx:1.14.0",
        "-        image: quay.io/acme/tool:2",
        f"+        image: {_PREFIX}/quay.io_acme_tool:2",
    ]


def test_the_diffs_of_one_repository_among_several_can_be_told_apart(
    options: Options, shop: Shop, tmp_path: Path
) -> None:
    """In text by headings, in JSON by fields."""
    clone = _clone(shop, shop.other, tmp_path / "clone")
    git = shop.sandbox.git
    text = _report(options, shop, "--mode", "gitops", "--diff").out
    headings = [line for line in text.splitlines() if line.startswith("# ")]
    assert headings == [
        f"# {git.root}/{name} main at {(git.head(name) or '')[:12]}:"
        for name in (shop.other, shop.repository)
    ]
    files = _json(options, shop, "--mode", "gitops", "--diff")["files"]
    assert " ".join(each["path"] for each in files) == (
        "far.yaml apps/api.yaml apps/web.yaml mixed/fine.yaml"
    )
    patch = "".join(each["diff"] for each in files if each["repository"] == f"{git.root}/{shop.other}")
    assert _git("apply", "-", cwd=clone, patch=patch.encode()).returncode == 0
    assert len(_changed_lines(clone)) == 2


def test_a_patch_in_the_cluster_is_no_patch_of_a_file(options: Options, shop: Shop, tmp_path: Path) -> None:
    """Its lines are remarks, which git does not try to apply."""
    text = _report(options, shop, "--mode", "direct", "--diff", "-l", "app=web").out
    _, _, changes = text.partition("\n\n# ")
    assert f"# {changes}" == (
        "# in the cluster, by patch:\n"
        f"# Deployment/{shop.namespace}/web\n"
        "#   -initContainer init: quay.io/acme/tool:2\n"
        "#   -container main: nginx:1.14.0\n"
        f"#   +initContainer init: {_PREFIX}/quay.io_acme_tool:2\n"
        f"#   +container main: {_PREFIX}/library_nginx:1.14.0\n"
    )
    applied = _git("apply", "-", cwd=tmp_path, patch=text.encode())
    assert b"No valid patches in input" in applied.stderr


@pytest.mark.parametrize(
    ("mode", "alone", "api"),
    [
        ("report", "Copy, then patch", "Copy, then commit to [1] apps/api.yaml:19"),
        ("direct", "Copy, then patch", "Copy, then patch"),
    ],
)
def test_the_plan_is_that_of_the_mode(options: Options, shop: Shop, mode: str, alone: str, api: str) -> None:
    """Mode report, the default, shows the way that fits each workload."""
    answer = _report(
        options, shop, "-l", "app in (alone, api)", *(() if mode == "report" else ("--mode", mode))
    )
    assert _rows(answer) == {"alone main": alone, "api main": api}
    assert f"planned for mode {mode}:" in answer.out


def test_the_exit_code_says_whether_there_is_anything_to_do(options: Options, shop: Shop) -> None:
    """Only when it is asked to."""
    assert _report(options, shop, "--exit-code").code == 1
    trusted = ("--trusted-prefixes", "docker.io,quay.io", "-l", "app!=typo")
    answer = _report(options, shop, "--exit-code", *trusted)
    assert answer.code == 0
    assert set(_rows(answer).values()) == {"Keep"}
    assert answer.out.splitlines()[-1].endswith("10 of 10 containers in scope, 100%; in use already: 10.")


def test_where_nothing_is_selected_there_is_a_word_on_standard_error(options: Options, shop: Shop) -> None:
    """A namespace may have been misspelt; the report itself is an empty one."""
    answer = command(*options, "report", "-n", f"{shop.namespace}-2", "--exit-code")
    assert answer.err == f"no Deployment or DaemonSet found in the namespace {shop.namespace}-2\n"
    assert (answer.code, answer.out.splitlines()[0][:16]) == (0, "0 containers in ")
