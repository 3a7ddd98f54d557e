"""What came of sources in earlier drafts: used where all that it rests on is the same, and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from hashlib import sha256
from inspect import isfunction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.controller.contents import Contents
from gitops_backup.controller.drafting import Draft, draft
from gitops_backup.controller.evidence import Surroundings, Witness
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import Part
from gitops_backup.rendering.cache import CachingRenderer
from gitops_backup.rendering.program import RenderTimedOut
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.discovery import discover
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendering import Files, HelmOptions, JsonnetOptions, Renderer
from gitops_backup.sources.trees import Tree
from tests.controller.cluster import application, source, workload
from tests.controller.memory import COMMIT, LARGEST, MemoryBranch, MemoryEntry, manifest
from tests.controller.test_drafting import part_of
from tests.controller.test_drafting_elsewhere import MemoryElsewhere, MemoryPlace

_URL, _CODE = "https://git.example/shop", "https://git.example/code"
_CHART = b"""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  template:
    spec:
      containers:
        - name: c0
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
"""
_TWO_VERSIONS = (
    _CHART
    + b"""\
        - name: c1
          image: "{{ .Values.image.repository }}:1.26"
"""
)
_SAID = b"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: said, namespace: argocd}
spec:
  destination: {namespace: shop}
  source:
    repoURL: https://git.example/shop
    path: chart
    helm:
      parameters: [{name: image.repository, value: nginx}]
"""
_AWAY = "away/"
_FILES: Mapping[str, Sequence[bytes | None]] = {
    "base/kustomization.yaml": [
        b"resources: [web.yaml]\n",
        b"resources: [web.yaml]\nimages: [{name: nginx, newTag: '1.26'}]\n",
        b"resources: [web.yaml, gone.yaml]\n",
    ],
    "base/web.yaml": [
        manifest("web", "nginx:1.25"),
        manifest("web", "nginx:1.26"),
        manifest("web", "nginx:1.25") + b"#" * LARGEST,
        None,
    ],
    "top/kustomization.yaml": [
        b"resources: [../base]\nnameSuffix: -top\n",
        b"resources: [../base]\nnameSuffix: -top\nimages: [{name: nginx, newTag: '1.26'}]\n",
    ],
    "top/.argocd-source.yaml": [None, b"kustomize: {}\n", b"kustomize: {images: ['nginx=nginx:1.26']}\n"],
    "chart/Chart.yaml": [b"apiVersion: v2\nname: web\nversion: 1.0.0\n"],
    "chart/templates/web.yaml": [_CHART, _TWO_VERSIONS],
    "chart/values.yaml": [
        b"image: {repository: nginx, tag: '1.25'}\n",
        b"image: {repository: nginx, tag: '1.26'}\n",
        b"image: {tag: '1.25'}\n",
    ],
    "values/shared.yaml": [b"{}\n", b"image: {repository: nginx}\n", b"image:\n  tag: '1.26'\n"],
    "values/own.yaml": [b"replicas: 1\n", b"image: {repository: docker.io/library/nginx}\n", None],
    "plain/all.yaml": [
        b"---\n".join([manifest("web", "nginx:1.25"), manifest("api", "nginx:1.25")]),
        b"---\n".join([manifest("api", "nginx:1.26"), manifest("web", "nginx:1.25")]),
    ],
    "plain/too.yaml": [None, manifest("web", "nginx:1.26"), b"a: [\n"],
    "said.yaml": [
        _SAID,
        _SAID.replace(b"value: nginx", b"value: docker.io/library/nginx"),
        b"---\n" + _SAID.replace(b"image.repository", b"image.tag").replace(b"nginx}", b"'1.26'}"),
        None,
    ],
    "values/far.yaml": [b"image: {repository: nginx}\n", b"image: {repository: nginx, tag: '1.26'}\n"],
    # a folder that stands for another repository; without the chart, that cannot be reached
    "away/chart/Chart.yaml": [b"apiVersion: v2\nname: far\nversion: 1.0.0\n", None],
    "away/chart/values.yaml": [b"image: {tag: '1.25'}\n", b"image: {tag: '1.26'}\n"],
    "away/chart/templates/web.yaml": [_CHART, _TWO_VERSIONS],
}
_FIRST = {path: contents[0] for path, contents in _FILES.items()}


def _chart(name: str, *value_files: str) -> Application:
    helm = {"valueFiles": [f"../values/{each}.yaml" for each in value_files]}
    return application(name, {**source(_URL, "chart"), "helm": helm})


def _far() -> Application:
    chart = {**source(_CODE, "chart"), "helm": {"valueFiles": ["$here/values/far.yaml"]}}
    return application("far", chart, source(_URL, "", ref="here"))


def _said(files: Mapping[str, bytes | None]) -> Application:
    """The Application of the file, or what it was at first, which is in no file then."""
    content = files["said.yaml"]
    found = discover({"said.yaml": content or _SAID}, namespaces=frozenset({"argocd"}))
    return (found if content is not None else found.of_other_files()).applications[0]


_APPLICATIONS = {
    "base": (application("base", source(_URL, "base")), "web"),
    "top": (application("top", source(_URL, "top")), "web-top"),
    "one": (_chart("one", "shared"), "one"),
    "two": (_chart("two", "shared", "own"), "two"),
    "web": (application("web", source(_URL, "plain")), "web"),
    "api": (application("api", source(_URL, "plain")), "api"),
    "far": (_far(), "far"),
    "said": (_said(_FIRST), "said"),
}


def _there(files: Mapping[str, bytes | None]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if content is not None}


def _branch(files: Mapping[str, bytes | None]) -> MemoryBranch:
    here = {path: content for path, content in _there(files).items() if not path.startswith(_AWAY)}
    return MemoryBranch(here)


def _elsewhere(files: Mapping[str, bytes | None]) -> MemoryElsewhere:
    away = {path: content for path, content in _there(files).items() if path.startswith(_AWAY)}
    inside = {path.removeprefix(_AWAY): content for path, content in away.items()}
    return MemoryElsewhere({_CODE: inside} if "chart/Chart.yaml" in inside else {})


def _parts(
    due: Mapping[str, str | None], files: Mapping[str, bytes | None] = _FIRST
) -> tuple[list[Part], list[Part]]:
    """What is due, and those for which nothing is: by Application, the tag of its image."""
    parts: list[Part] = []
    readers: list[Part] = []
    for name, tag in due.items():
        made, deployed = _APPLICATIONS[name]
        part = part_of(
            _said(files) if name == "said" else made,
            *([workload(deployed, f"nginx:{tag}")] if tag else []),
        )
        if name == "far":
            here = frozenset({Place.of(made.sources[1])})
            part = replace(part, sources=made.sources[:1], here=here)
        (parts if tag else readers).append(part)
    return parts, readers


def _drafted(
    files: Mapping[str, bytes | None],
    due: Mapping[str, str | None],
    renderer: Renderer,
    outcomes: Outcomes,
    *,
    branch: MemoryBranch | None = None,
) -> Draft:
    parts, readers = _parts(due, files)
    return draft(
        branch or _branch(files),
        COMMIT,
        parts,
        renderer=renderer,
        readers=readers,
        elsewhere=_elsewhere(files),
        outcomes=outcomes,
    )


_ALL_DUE = dict.fromkeys(_APPLICATIONS, "1.25")


class _Counting:
    """A renderer that counts how often it was asked, and may say that it took too long."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self.count = 0
        self.slow = False

    def kustomize(self, files: Files, folder: str, *, again: bool = False) -> bytes:
        self._note()
        return self._renderer.kustomize(files, folder, again=again)

    def helm(self, files: Files, folder: str, options: HelmOptions, *, again: bool = False) -> bytes:
        self._note()
        return self._renderer.helm(files, folder, options, again=again)

    def jsonnet(self, files: Files, path: str, options: JsonnetOptions, *, again: bool = False) -> bytes:
        self._note()
        return self._renderer.jsonnet(files, path, options, again=again)

    def _note(self) -> None:
        self.count += 1
        if self.slow:
            raise RenderTimedOut("it took more than 1 s")


@pytest.fixture(scope="module")
def rendering(kustomize: Path, helm: Path, tmp_path_factory: pytest.TempPathFactory) -> CachingRenderer:
    """The real programs; the same is rendered once for all that is tried here."""
    scratch = tmp_path_factory.mktemp("renderer")
    return CachingRenderer(LocalRenderer(kustomize=kustomize, helm=helm, scratch=scratch), version="1")


@st.composite
def _steps(draw: st.DrawFn) -> list[tuple[dict[str, bytes | None], dict[str, str | None]]]:
    """Commits one after the other, each with what is due then; mostly a file or two change."""
    files, due = dict(_FIRST), dict[str, str | None](_ALL_DUE)
    steps = [(dict(files), dict(due))]
    for _ in range(draw(st.integers(1, 4))):
        for path in draw(st.lists(st.sampled_from(sorted(_FILES)), max_size=2)):
            files[path] = draw(st.sampled_from(_FILES[path]))
        for name in draw(st.lists(st.sampled_from(sorted(_APPLICATIONS)), max_size=2)):
            due[name] = draw(st.sampled_from(["1.25", "1.26", None]))
        steps.append((dict(files), dict(due)))
    return steps


@settings(max_examples=30)
@given(steps=_steps())
def test_a_draft_is_the_same_as_if_nothing_were_known(
    steps: list[tuple[dict[str, bytes | None], dict[str, str | None]]], rendering: CachingRenderer
) -> None:
    """Whatever was drafted before, and whether all of it was kept, or some, or nothing."""
    plenty, little = Outcomes(), Outcomes(largest=30_000)
    for files, due in steps:
        fresh = _drafted(files, due, rendering, Outcomes(largest=0))
        for outcomes in (plenty, little):
            assert _drafted(files, due, rendering, outcomes) == fresh


def test_a_commit_in_which_nothing_changed_is_neither_read_nor_rendered(rendering: CachingRenderer) -> None:
    """But for the files that are changed, which a diff is made of."""
    outcomes, counting = Outcomes(), _Counting(rendering)
    first = _drafted(_FIRST, _ALL_DUE, counting, outcomes)
    rendered, branch = counting.count, _branch(_FIRST)
    assert _drafted(_FIRST, _ALL_DUE, counting, outcomes, branch=branch) == first
    assert first.files
    assert (counting.count, branch.asked_for) == (rendered, set(first.files))


def test_of_a_commit_that_changes_a_file_that_is_looked_into_alone(rendering: CachingRenderer) -> None:
    """With whatever else is read by the same source."""
    outcomes = Outcomes()
    files = {**_FIRST, "lonely/kustomization.yaml": b"resources: [w.yaml]\n", "lonely/w.yaml": manifest("w")}
    _drafted(files, _ALL_DUE, rendering, outcomes)
    branch = _branch({**files, "plain/all.yaml": b"# changed\n" + manifest("web", "nginx:1.25")})
    made = _drafted(files, _ALL_DUE, rendering, outcomes, branch=branch)
    assert branch.asked_for == {"plain/all.yaml", *made.files}


def test_what_an_application_says_of_its_progress_changes_nothing(rendering: CachingRenderer) -> None:
    """Each commit changes that for all of them."""
    outcomes, counting = Outcomes(), _Counting(rendering)
    parts, _ = _parts(_ALL_DUE)
    draft(_branch(_FIRST), COMMIT, parts, renderer=counting, outcomes=outcomes)
    rendered = counting.count
    synced = [
        replace(p, application=replace(p.application, revisions=("d" * 40,), synced=True)) for p in parts
    ]
    draft(_branch(_FIRST), COMMIT, synced, renderer=counting, outcomes=outcomes)
    assert counting.count == rendered


def test_what_took_too_long_is_tried_again(rendering: CachingRenderer) -> None:
    """The machine may have been busy."""
    outcomes, counting = Outcomes(), _Counting(rendering)
    counting.slow = True
    slow = _drafted(_FIRST, _ALL_DUE, counting, outcomes)
    counting.slow = False
    assert _drafted(_FIRST, _ALL_DUE, counting, outcomes) == _drafted(
        _FIRST, _ALL_DUE, rendering, Outcomes(largest=0)
    )
    assert slow.left


def test_what_could_not_be_reached_is_looked_at_when_it_can(rendering: CachingRenderer) -> None:
    """And the other way round."""
    outcomes = Outcomes()
    away = {**_FIRST, "away/chart/Chart.yaml": None}
    for files in (away, _FIRST, away):
        made = _drafted(files, {"far": "1.25"}, rendering, outcomes)
        assert bool(made.files) == (files is _FIRST)
        assert bool(made.left) == (files is away)


def test_a_commit_elsewhere_counts_for_those_whose_files_it_changes(rendering: CachingRenderer) -> None:
    """It is a new commit for all that is rendered from its repository."""
    counting, outcomes = _Counting(rendering), Outcomes()
    parts, _ = _parts({"far": "1.25"})

    def drafted(changed: str) -> int:
        files = {path: content or b"" for path, content in _FIRST.items() if path.startswith(_AWAY)}
        files[changed] = files.get(changed, b"") + b"\n# changed\n"
        place = _Commit({path.removeprefix(_AWAY): content for path, content in files.items()})
        before = counting.count
        draft(_branch(_FIRST), COMMIT, parts, renderer=counting, elsewhere=_Always(place), outcomes=outcomes)
        return counting.count - before

    assert drafted("away/chart/values.yaml") > 0
    drafted("away/README.md")
    assert drafted("away/README.md") == drafted("away/CHANGELOG.md") == 0
    assert drafted("away/chart/values.yaml") == 0
    assert drafted("away/chart/Chart.yaml") > 0


class _Commit(MemoryPlace):
    """Files that have names for their contents."""

    def tree(self) -> dict[str, MemoryEntry]:
        return {path: MemoryEntry(sha256(content).hexdigest()) for path, content in self.files.items()}


@dataclass
class _Always:
    """Whatever the place."""

    here: MemoryPlace

    def open(self, place: Place) -> MemoryPlace:
        return self.here


def test_no_more_is_kept_than_was_said(rendering: CachingRenderer) -> None:
    """What was not asked for longest is let go."""
    outcomes = Outcomes()
    _drafted(_FIRST, _ALL_DUE, rendering, outcomes)
    full = outcomes.size
    for largest in (full, full // 2, 0):
        bounded = Outcomes(largest=largest)
        for _ in range(2):
            _drafted(_FIRST, _ALL_DUE, rendering, bounded)
        assert bounded.size <= largest
        assert (bounded.size == full) == (largest == full)


def test_of_a_source_what_was_asked_last_is_kept() -> None:
    """Or the images of years would push out those of today."""
    contents = Contents(tuple, identify=lambda _: None, read=_nothing)
    here = Surroundings(Tree({}), contents, Mounts(frozenset()))
    outcomes, made = Outcomes(), _APPLICATIONS["one"][0]
    known = outcomes.of(made, made.sources[0])
    known.keep("always", 0, [Witness(here).evidence()])
    for number in range(100):
        known.keep(number, number, [Witness(here).evidence()])
        assert known.recall("always", [here]) is not None
        if number == 10:
            size = outcomes.size
    assert outcomes.size == size
    assert known.recall(99, [here]) is not None
    assert known.recall(0, [here]) is None


def test_every_question_is_noted() -> None:
    """One that came to be added, and that nobody notes, would have stale outcomes used."""
    contents = Contents(tuple, identify=lambda _: None, read=_nothing)
    witness = Witness(Surroundings(Tree({}), contents, Mounts(frozenset())))
    for kind, seen in ((Tree, witness.tree), (Mounts, witness.mounts)):
        questions = {name for name, value in vars(kind).items() if isfunction(value) and name[0] != "_"}
        assert questions <= vars(type(seen)).keys()


def test_all_that_an_application_says_tells_it_from_others() -> None:
    """A field that did not count would be one that outcomes rest on unseen."""
    seen: set[type] = set()
    open_ones: list[Any] = [_APPLICATIONS["one"][0]]
    while open_ones:
        value = open_ones.pop()
        if isinstance(value, tuple | frozenset):
            open_ones += value
        elif is_dataclass(value) and type(value) not in seen:
            seen.add(type(value))
            hidden = {each.name for each in fields(value) if not each.compare}
            assert hidden <= {"said"}, type(value)  # for which see the test below
            open_ones += [getattr(value, each.name) for each in fields(value)]
    assert len(seen) > 3


def test_applications_that_say_the_same_in_other_words_are_two() -> None:
    """What an Application says is edited as it stands, and not as it is understood."""
    outcomes = Outcomes()
    one = application("one", source(_URL, "chart"))
    other = application("one", {**source(_URL, "chart"), "unheard": "of"})
    assert one == other
    assert outcomes.of(one, one.sources[0]) is outcomes.of(one, one.sources[0])
    assert outcomes.of(one, one.sources[0]) is not outcomes.of(other, other.sources[0])


def _nothing(paths: object) -> Any:
    raise AssertionError(paths)
