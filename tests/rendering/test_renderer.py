"""Rendering with a real kustomize: what comes out, what is refused, and that nothing outside is touched."""

import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitops_backup.process import ProcessCancelled, run
from gitops_backup.rendering.limits import Limits
from gitops_backup.rendering.program import Program, RenderTimedOut, Way
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.rendering import RenderFailed
from tests.sources.samples import deployment

WEB = deployment("image: nginx:1.25").encode()
APP = {"app/kustomization.yaml": b"resources: [web.yaml]\nnamePrefix: a-\n", "app/web.yaml": WEB}
CONFIG = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"


def test_a_folder_is_built_as_kustomize_builds_it(
    renderer: LocalRenderer, kustomize: Path, tmp_path: Path
) -> None:
    """What comes out is byte for byte what kustomize itself prints."""
    for path, content in APP.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    bare = run([str(kustomize), "build", str(tmp_path / "app")], timeout=60)
    assert renderer.kustomize(APP, "app") == bare.stdout
    assert b"name: a-web" in bare.stdout
    assert renderer.version.startswith("kustomize ")


def test_the_root_can_be_built(renderer: LocalRenderer) -> None:
    """A kustomization at the top of a repository is built as one in a folder."""
    files = {path.removeprefix("app/"): content for path, content in APP.items()}
    assert renderer.kustomize(files, "") == renderer.kustomize(APP, "app")


def test_a_failure_is_told_in_kustomizes_words(renderer: LocalRenderer) -> None:
    """The message is one line, names files as the repository does, and is the same each time."""
    files = {**APP, "app/kustomization.yaml": b"resources: [web.yaml]\npatches: [{path: gone.yaml}]\n"}
    (message,) = {failure(renderer, files) for _ in range(2)}
    assert message.startswith("kustomize says: ")
    assert "lstat app/gone.yaml: no such file or directory" in message


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    """There is none, or it cannot be run."""
    with pytest.raises(RenderFailed, match="kustomize is not installed"):
        LocalRenderer(kustomize=None, scratch=tmp_path / "a").kustomize(APP, "app")
    with pytest.raises(RenderFailed, match="cannot be read: No such file"):
        LocalRenderer(kustomize=tmp_path / "gone", scratch=tmp_path / "b").kustomize(APP, "app")
    (tmp_path / "text").write_text("no program")
    with pytest.raises(RenderFailed, match="cannot be run"):
        LocalRenderer(kustomize=tmp_path / "text", scratch=tmp_path / "c").kustomize(APP, "app")


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "a//x", "./x", "", "a\0b", "a/", "x" * 300])
def test_names_that_are_no_files_are_refused(renderer: LocalRenderer, path: str) -> None:
    """A name that leads out of the folder, or nowhere, is never written."""
    assert "a file cannot be called" in failure(renderer, {**APP, path: b""}) or len(path) > 255


def test_odd_names_are_files_like_others(renderer: LocalRenderer) -> None:
    """Line breaks, blanks, letters of other alphabets, and bytes that are no text."""
    names = ["new\nline.yaml", "é 😀.yaml", "-rf.yaml", "$(touch x).yaml", "\udcff.yaml"]
    resources = "".join(f"- {name!r}\n" for name in names[1:4])
    files = {"app/kustomization.yaml": f'resources:\n- "new\\nline.yaml"\n{resources}'.encode()}
    files |= {f"app/{name}": CONFIG.replace(b"name: c", b"name: c%d" % n) for n, name in enumerate(names)}
    assert renderer.kustomize(files, "app").count(b"kind: ConfigMap") == 4


def test_a_file_and_a_folder_of_one_name_are_refused(renderer: LocalRenderer) -> None:
    """Git has no such tree."""
    assert "cannot be written" in failure(renderer, {**APP, "app": b""})


def test_output_has_a_limit(program: Callable[..., Program]) -> None:
    """More than the limit is not read, however little the input was."""
    files = {"app/kustomization.yaml": b"resources: [big.yaml]\n"}
    files["app/big.yaml"] = CONFIG + b"data:\n  a: " + b"x" * 1_200_000
    assert refusal(program(output_megabytes=1), files) == "kustomize printed more than 1 MB"
    assert refusal(program(), files) is None


def test_memory_has_a_limit(program: Callable[..., Program]) -> None:
    """Aliases that stand for billions of values end in a reason."""
    words = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    words += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    files = {"app/kustomization.yaml": b"resources: [bomb.yaml]\n", "app/bomb.yaml": CONFIG + words.encode()}
    assert refusal(program(memory_megabytes=192), files) == "kustomize crashed; it may use 192 MB of memory"


def test_computing_has_a_limit(program: Callable[..., Program]) -> None:
    """Bases that each include two others do exponential work."""
    files = {f"{name}/kustomization.yaml": content for name, content in ladder(12)}
    assert refusal(program(cpu_seconds=1), files, "l0") == "kustomize computed for more than 1 s"


def test_time_has_a_limit(program: Callable[..., Program]) -> None:
    """A machine that is too busy is no reason to give up for good."""
    files = {f"{name}/kustomization.yaml": content for name, content in ladder(12)}
    with pytest.raises(RenderTimedOut, match=r"kustomize took more than 0\.2 s"):
        program(seconds=0.2).render(files, lambda root: ["build", f"{root}/l0"])


def test_the_input_has_a_limit(renderer: LocalRenderer) -> None:
    """Files of many megabytes are not written anywhere."""
    big = b"x" * 10_000_000
    assert "expected files of at most" in failure(
        renderer, {**APP, **{f"app/{number}": big for number in range(7)}}
    )


def test_a_rendering_can_be_cancelled(kustomize: Path, tmp_path: Path) -> None:
    """Whoever stops does not wait for a rendering to end."""
    cancel = threading.Event()
    program = Program("kustomize", kustomize, scratch=tmp_path / "scratch", cancel=cancel)
    cancel.set()
    files = {f"{name}/kustomization.yaml": content for name, content in ladder(12)}
    with pytest.raises(ProcessCancelled):
        program.render(files, lambda root: ["build", f"{root}/l0"])


def test_nothing_is_left_behind(renderer: LocalRenderer, tmp_path: Path, kustomize: Path) -> None:
    """The files are gone afterwards, whether it worked or not; nobody else could have read them."""
    scratch = tmp_path / "scratch"
    mine = LocalRenderer(kustomize=kustomize, scratch=scratch)
    mine.kustomize(APP, "app")
    failure(mine, {"app/kustomization.yaml": b"]"})
    assert list((scratch / "kustomize" / "runs").iterdir()) == []
    assert stat.S_IMODE((scratch / "kustomize" / "runs").stat().st_mode) == 0o700


HOSTILE = {
    "an absolute file": "resources: ['{outside}/secret.yaml']\n",
    "an absolute folder": "resources: ['{outside}']\n",
    "a folder above": "resources: ['{up}{outside}']\n",
    "a component above": "components: ['{up}{outside}']\n",
    "a patch above": "resources: [web.yaml]\npatches: [{{path: '{up}{outside}/secret.yaml'}}]\n",
    "a file of a generator": "configMapGenerator: [{{name: c, files: ['{outside}/secret.yaml']}}]\n",
    "an environment file": "configMapGenerator: [{{name: c, envs: ['{up}{outside}/secret.env']}}]\n",
    "a remote file": "resources: ['http://127.0.0.1:{port}/secret.yaml']\n",
    "a remote file of a generator": "configMapGenerator: [{{name: c, files: ['http://127.0.0.1:{port}/x']}}]\n",
    "a remote repository": "resources: ['http://127.0.0.1:{port}/a/b.git']\n",
    "a local repository": "resources: ['file://{outside}/repository']\n",
    "an executable generator": "generators: [exec.yaml]\n",
    "a function in a container": "resources: [web.yaml]\ntransformers: [function.yaml]\n",
    "a plugin": "resources: [web.yaml]\ntransformers: [plugin.yaml]\n",
    "a chart": "helmCharts: [{{name: x, repo: 'http://127.0.0.1:{port}'}}]\n",
    "a schema above": "resources: [web.yaml]\nopenapi: {{path: '{up}{outside}/secret.json'}}\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_outside_is_read_or_executed(
    name: str, outside: "Outside", kustomize: Path, tmp_path: Path
) -> None:
    """Whatever a kustomization asks for, kustomize finds what it was given, or nothing at all."""
    program = Program("kustomize", kustomize, scratch=tmp_path / "scratch")
    said = refusal(program, hostile(name, outside))
    if program.way == Way.ROOT:  # elsewhere it must not be run on such files: see below
        assert said is not None
        assert "sentinel" not in said
        assert outside.asked == []
    assert not (outside.folder / "touched").exists()
    assert {path.name for path in outside.folder.iterdir()} == outside.names


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_outside_is_asked_for(
    name: str, way: Way, outside: "Outside", kustomize: Path, tmp_path: Path
) -> None:
    """Where the system shuts nothing in, what leads outside is refused before kustomize is run."""
    renderer = LocalRenderer(kustomize=kustomize, scratch=tmp_path / "scratch", ways=[way])
    assert "sentinel" not in failure(renderer, hostile(name, outside))
    assert outside.asked == []
    assert not (outside.folder / "touched").exists()
    assert {path.name for path in outside.folder.iterdir()} == outside.names


def test_the_environment_is_not_handed_on(kustomize: Path, tmp_path: Path) -> None:
    """Nothing of the surrounding shell is seen, and nothing can be run by its name."""
    script = tmp_path / "env.sh"
    script.write_text(
        '#!/bin/sh\n[ "$1" = version ] && echo v1 && exit\nexport -p; pwd; command -v git\ntrue\n'
    )
    script.chmod(0o755)
    program = Program("script", script, scratch=tmp_path / "scratch")
    shown = program.render({}, lambda _root: []).decode()
    names = {line.split("=")[0].removeprefix("export ") for line in shown.splitlines() if "=" in line}
    assert names <= {
        *("PATH", "HOME", "LANG", "PWD", "OLDPWD", "TMPDIR", "KUSTOMIZE_PLUGIN_HOME", "GOGC", "GOMEMLIMIT"),
        *("GOTRACEBACK", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    }
    assert "git" not in shown.splitlines()[-1]
    assert program.way != Way.ROOT  # a script needs its shell


def hostile(name: str, outside: "Outside") -> dict[str, bytes]:
    """A kustomization that asks for what it must not have, and the files that it refers to."""
    up = "/".join([".."] * 30)
    asked = HOSTILE[name].format(outside=outside.folder, up=up, port=outside.port)
    function = "apiVersion: x/v1\nkind: F\nmetadata:\n  name: f\n  annotations:\n"
    function += "    config.kubernetes.io/function: '{function}'\n"
    container, script = (
        "{container: {image: x, network: true}}",
        f"{{exec: {{path: {outside.folder}/run.sh}}}}",
    )
    return {
        "app/kustomization.yaml": asked.encode(),
        "app/web.yaml": WEB,
        "app/exec.yaml": function.replace("{function}", script).encode(),
        "app/function.yaml": function.replace("{function}", container).encode(),
        "app/plugin.yaml": b"apiVersion: someteam/v1\nkind: Sed\nmetadata: {name: s}\n",
    }


class Outside:
    """A folder and a server that nothing may touch; `asked` is what the server was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        secret = CONFIG + b"data: {a: sentinel}\n"
        (folder / "secret.yaml").write_bytes(secret)
        (folder / "secret.env").write_text("a=sentinel\n")
        (folder / "secret.json").write_text('"sentinel"')
        (folder / "kustomization.yaml").write_text("resources: [secret.yaml]\n")
        (folder / "run.sh").write_text(f"#!/bin/sh\ntouch {folder}/touched\n")
        (folder / "run.sh").chmod(0o755)
        self.names = {path.name for path in folder.iterdir()}
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(secret)

            def log_message(self, *_arguments: object) -> None:
                """Nothing is logged."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.socket.getsockname()[1]


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """What is not in the repository."""
    made = Outside(tmp_path / "outside")
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def program(kustomize: Path, tmp_path: Path) -> Callable[..., Program]:
    """Makes a kustomize with limits of its own."""

    def make(**limits: float) -> Program:
        return Program("kustomize", kustomize, scratch=tmp_path / "scratch", limits=Limits(**limits))  # type: ignore[arg-type]

    return make


def ladder(steps: int) -> Iterator[tuple[str, bytes]]:
    """Kustomizations that each include both of the next step: 2^steps times the last."""
    for number in range(steps):
        for side in ("", "x"):
            bases = f"[../l{number + 1}, ../l{number + 1}x]"
            yield f"l{number}{side}", f"namePrefix: p{side}\nresources: {bases}\n".encode()
    for side in ("", "x"):
        yield f"l{steps}{side}", f"configMapGenerator: [{{name: c{side}, literals: [a=b]}}]\n".encode()


def refusal(program: Program, files: dict[str, bytes], folder: str = "app") -> str | None:
    """Why a folder is not built; None where it is."""
    try:
        program.render(files, lambda root: ["build", f"{root}/{folder}"])
    except RenderFailed as error:
        return error.message
    return None


def failure(renderer: LocalRenderer, files: dict[str, bytes]) -> str:
    """Why the folder `app` is not built."""
    with pytest.raises(RenderFailed) as caught:
        renderer.kustomize(files, "app")
    return caught.value.message
