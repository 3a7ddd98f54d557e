"""Plans for one repository of Applications of many shapes: the first, one more, and after a file has changed.

A plan is what the controller and the dry run share: a draft on a fetched commit of a real repository, with
the real programs. It is made in a process of its own. Some of its renderings are made once more afterwards,
in turn with the bare program on the same files; what is compared is processor time, that of the program and
of whoever runs it.
"""

import gc
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.bench import Bench
from benchmarks.figures import Figure, Measurement
from benchmarks.mixture import Mixture
from benchmarks.usage import MeasurementFailed, in_a_process, resident_memory
from gitops_backup.cli.context import Globals
from gitops_backup.cli.logging import LogFormat
from gitops_backup.controller.drafting import Draft, draft
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.domain.naming import Naming
from gitops_backup.git.local import open_local
from gitops_backup.process import run
from gitops_backup.rendering.cache import CachingRenderer
from gitops_backup.rendering.export import export
from gitops_backup.rendering.helm import files_for_helm, helm_arguments
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sandbox.binaries import Binaries
from gitops_backup.sandbox.cache import cache_folder
from gitops_backup.sandbox.githost import BRANCH
from gitops_backup.sources.rendering import Files, HelmOptions, JsonnetOptions, Renderer

_APPLICATIONS = 2000
_COMMITS = 3
_SAMPLE = 40
_LONGEST_SECONDS = 3600.0
_REPOSITORY = "mixed"
_PROGRAMS = ("kustomize", "helm")


def measure(bench: Bench) -> Measurement:
    """Three plans, their renderings, and the memory that it takes to know what came of them."""
    count = bench.size(_APPLICATIONS)
    host = bench.sandbox.git
    mixture = Mixture(count, host.url(_REPOSITORY), Naming.below(bench.sandbox.backup_repository))
    bench.progress(f"rendered: making {count} Applications, and planning for them")
    host.create(_REPOSITORY, mixture.files())
    later = (host.commit(_REPOSITORY, mixture.changed(number)) for number in range(_COMMITS))
    commits = [host.head(_REPOSITORY), *later]
    binaries = Binaries(cache=cache_folder(os.environ), environ=os.environ, progress=bench.progress)
    programs = binaries.provide(_PROGRAMS)
    made = in_a_process(
        "benchmarks.rendered",
        json.dumps([count, mixture.url, str(mixture.naming.prefix), commits]),
        host.path(_REPOSITORY),
        bench.folder / "rendered",
        *(programs[name] for name in _PROGRAMS),
        longest=_LONGEST_SECONDS,
    )
    what = f"rendered: {count} Applications"
    costs = [
        Figure(
            f"rendered: {name}, processor time of a rendering",
            each["ours"],
            "ms",
            each["bare"],
            ratio_aim=1.3,
        )
        for name, each in made["costs"].items()
    ]
    return Measurement(
        (
            Figure(f"{what}, first plan", made["first"]["seconds"], "s"),
            Figure(f"{what}, nothing changed", median(made["second"]["seconds"]), "s", aim=1.0),
            Figure(f"{what}, one file changed", median(made["changed"]["seconds"]), "s", aim=2.0),
            Figure("rendered: most renderings of one", made["most"], "renderings", aim=3),
            *costs,
            Figure("rendered: resident afterwards", made["memory"], "MB", made["memory_before"]),
        ),
        (
            (
                f"rendered: the first plan took {made['renderings']} renderings of"
                f" {made['rendered']} Applications and {made['first']['processor']:.1f} s of processor time"
            ),
            (
                "rendered: processor time where nothing changed:"
                f" {_listed(made['second']['processor'])}; where a file did:"
                f" {_listed(made['changed']['processor'])}, {made['changed_renderings']} renderings in all"
            ),
        ),
    )


def _listed(seconds: Sequence[float]) -> str:
    return ", ".join(f"{each:.2f}" for each in seconds) + " s"


class _Ask(NamedTuple):
    """What a renderer was asked for; with `options` it is a chart."""

    files: Files
    folder: str
    options: HelmOptions | None


class _Noting:
    """A renderer that takes note of what it is asked for."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.asks: dict[str, list[_Ask]] = {name: [] for name in _PROGRAMS}

    def kustomize(self, files: Files, folder: str, *, again: bool = False) -> bytes:
        self._note("kustomize", folder, _Ask(files, folder, None))
        return self._renderer.kustomize(files, folder, again=again)

    def helm(self, files: Files, folder: str, options: HelmOptions, *, again: bool = False) -> bytes:
        self._note("helm", options.release, _Ask(files, folder, options))
        return self._renderer.helm(files, folder, options, again=again)

    def jsonnet(self, files: Files, path: str, options: JsonnetOptions, *, again: bool = False) -> bytes:
        return self._renderer.jsonnet(files, path, options, again=again)

    def _note(self, program: str, who: str, ask: _Ask) -> None:
        with self._lock:
            self.counts[who] += 1
            if len(self.asks[program]) < _SAMPLE:
                self.asks[program].append(ask)


def plan(
    mixture: Mixture, commits: Sequence[str], repository: Path, scratch: Path, programs: dict[str, Path]
) -> dict[str, Any]:
    """Make the plans, and tell what they took: in seconds, and of memory in MB."""
    # the garbage collector as the controller has it
    Globals(None, None, None, LogFormat.JSON, verbose=False).configure_process()
    local = LocalRenderer(kustomize=programs["kustomize"], helm=programs["helm"], scratch=scratch / "runs")
    noting = _Noting(local)
    renderer = CachingRenderer(noting, version=local.version)
    outcomes = Outcomes()
    parts = mixture.parts()
    memory_before = resident_memory()

    def planned(commit: str) -> tuple[Draft, float, float]:
        run(["git", "update-ref", f"refs/heads/{BRANCH}", commit], timeout=60, cwd=repository)
        with open_local(repository, timeout=60) as opened:
            began, processor = time.perf_counter(), _processor()
            head = opened.fetch().commit
            made = draft(opened, head, parts, renderer=renderer, outcomes=outcomes)
            if len(made.edited) != mixture.count or head != commit:
                raise MeasurementFailed(f"{len(made.edited)} of {mixture.count} images were edited")
            return made, time.perf_counter() - began, _processor() - processor

    first, seconds, processor = planned(commits[0])
    counts = Counter(noting.counts)
    second = [planned(commits[0]) for _ in commits[1:]]
    if any(made != first for made, _, _ in second) or noting.counts != counts:
        raise MeasurementFailed("a plan differs from the first one, and nothing has changed")
    changed = [planned(commit) for commit in commits[1:]]
    gc.collect()
    memory = resident_memory()
    return {
        "first": {"seconds": seconds, "processor": processor},
        "second": {"seconds": [each[1] for each in second], "processor": [each[2] for each in second]},
        "changed": {"seconds": [each[1] for each in changed], "processor": [each[2] for each in changed]},
        "renderings": counts.total(),
        "rendered": len(counts),
        "most": max(counts.values()),
        "changed_renderings": noting.counts.total() - counts.total(),
        "memory": memory,
        "memory_before": memory_before,
        "costs": {
            name: _costs(noting.asks[name], local, programs[name], scratch / name) for name in _PROGRAMS
        },
    }


def _costs(asks: Sequence[_Ask], renderer: LocalRenderer, program: Path, scratch: Path) -> dict[str, float]:
    """The milliseconds of processor time of our renderings, and of the bare program on the same files."""
    ours: list[float] = []
    bare: list[float] = []
    for number, ask in enumerate(asks):
        folder = scratch / str(number)
        folder.mkdir(parents=True)
        if ask.options is None:
            export(ask.files, folder)
            arguments = ["build", str(folder / ask.folder)]
            ours.append(_took(partial(renderer.kustomize, ask.files, ask.folder)))
        else:
            export(files_for_helm(ask.files, ask.options), folder)
            arguments = helm_arguments(str(folder), ask.folder, ask.options)
            ours.append(_took(partial(renderer.helm, ask.files, ask.folder, ask.options)))
        argv = [str(program), *arguments]
        bare.append(_took(partial(subprocess.run, argv, check=True, capture_output=True)))
    return {"ours": median(ours), "bare": median(bare)}


def _took(work: Callable[[], object]) -> float:
    began = _processor()
    work()
    return (_processor() - began) * 1000


def _processor() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    count, url, prefix, commits = json.loads(sys.argv[1])
    repository, scratch, kustomize, helm = map(Path, sys.argv[2:6])
    mixture = Mixture(count, url, Naming.below(prefix))
    result = plan(mixture, commits, repository, scratch, {"kustomize": kustomize, "helm": helm})
    sys.stdout.write(json.dumps(result))
