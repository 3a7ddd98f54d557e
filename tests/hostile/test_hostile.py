"""Repositories that mean harm, from a fetch to a draft: each ends in a reason, and gets at nothing outside.

They are real repositories, fetched by git and rendered by kustomize, Helm and jsonnet, with nothing between
those and this machine but an environment of their own: what a closer cell would hold back as well must not be
tried.
"""

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_backup.controller.drafting import draft
from gitops_backup.git.commits import Identity
from gitops_backup.git.store import GitStore
from gitops_backup.rendering.limits import Limits
from gitops_backup.rendering.program import Way
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.rendering import Renderer
from tests.controller.cluster import application, source, workload
from tests.controller.test_drafting import part_of
from tests.git.bare import BareRepository
from tests.hostile.traps import BACKUP, IMAGE, Outside, Trap
from tests.hostile.traps_in_charts import traps_in_charts
from tests.hostile.traps_in_git import traps_in_git
from tests.hostile.traps_in_kustomizations import traps_in_kustomizations
from tests.hostile.traps_in_programs import traps_in_programs

_LIMITS = Limits(seconds=30.0, cpu_seconds=2, memory_megabytes=200, output_megabytes=4)


class Listener:
    """A server that answers nobody, and counts who came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.visits = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            visitor.close()

    def close(self) -> None:
        """Stop listening."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with closing(Listener()) as opened:
        yield opened


@pytest.fixture(scope="module")
def cell(kustomize: Path, helm: Path, jsonnet: Path, tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    """The programs with an environment of their own, and not more."""
    return LocalRenderer(
        kustomize=kustomize,
        helm=helm,
        jsonnet=jsonnet,
        scratch=tmp_path_factory.mktemp("cell"),
        limits=_LIMITS,
        ways=[Way.ENVIRONMENT],
    )


# the traps are the same ones with other places in them
_NOWHERE = Outside(Path("/outside/canary.yaml"), "", Path("/outside/sentinel"), 9)
_ALL = (traps_in_git, traps_in_kustomizations, traps_in_charts, traps_in_programs)
_CASES = [(make, number, trap.name) for make in _ALL for number, trap in enumerate(make(_NOWHERE))]


@pytest.mark.parametrize(
    ("make", "number"), [pytest.param(make, number, id=name) for make, number, name in _CASES]
)
def test_a_repository_gets_at_nothing(
    make: Callable[[Outside], Iterator[Trap]],
    number: int,
    tmp_path: Path,
    listener: Listener,
    cell: Renderer,
) -> None:
    """It ends in the reason that is expected, which says where, or in an edit where it does no harm."""
    secret = secrets.token_hex(8)
    folder = tmp_path / "outside"
    folder.mkdir()
    file = folder / "canary.yaml"
    file.write_text(f"image: {secret}\n")
    (folder / "kustomization.yaml").write_text(f"namePrefix: {secret}-\n")
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: sub\nversion: 1.0.0\ndescription: {secret}\n")
    there = sorted(folder.iterdir())
    outside = Outside(file, secret, folder / "sentinel", listener.port)
    trap = list(make(outside))[number]

    bare = BareRepository(tmp_path / "bare.git")
    contents = {path: text.encode() if isinstance(text, str) else text for path, text in trap.files.items()}
    bare.commit(contents, modes=trap.modes)
    made = application("app", {**source(bare.url, trap.path), **trap.source})
    part = part_of(made, workload("web", IMAGE))
    before = listener.visits
    with GitStore(tmp_path / "cache", identity=Identity("Bot", "bot@example.org"), allow_file=True) as store:
        branch = store.open(bare.url, "main")
        drafted = draft(branch, branch.fetch().commit, [part], renderer=cell)

    shown = {f"{left.reason}: {left.message}" for left in drafted.left}
    if trap.reason is None:
        assert not shown
        assert list(drafted.files) == [trap.edited]
        old = contents[trap.edited]
        assert drafted.files[trap.edited] in (old.replace(b"nginx", BACKUP.encode()),)
    else:
        assert not drafted.files
        (why,) = shown
        assert why.startswith(f"{trap.reason}: ")
        assert trap.says in why
        assert why.isprintable()
        assert len(why) < 1000
    said = [*shown, *(left.difference for left in drafted.left), *map(str, drafted.along)]
    assert not any(secret in text for text in said)
    assert listener.visits == before
    assert sorted(folder.iterdir()) == there
