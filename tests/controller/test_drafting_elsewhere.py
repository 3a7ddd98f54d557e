"""Drafts of branches from which charts get their values that are somewhere else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from gitops_backup.controller.drafting import Draft, draft
from gitops_backup.controller.parts import Share
from gitops_backup.controller.reading import still_the_same
from gitops_backup.controller.targets import branch_of, management
from gitops_backup.domain.reasons import Reason
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.mounts import Unavailable, folder_for
from gitops_backup.sources.places import Place
from tests.controller.cluster import application, source, workload
from tests.controller.memory import COMMIT, MemoryBranch, MemoryEntry, MemoryFiles, manifest
from tests.controller.test_drafting import _due

VALUES, CODE, CHARTS = "https://git.example/values", "https://git.example/code", "https://charts.example"
CHART = {
    "Chart.yaml": b"apiVersion: v2\nname: web\nversion: 1.2.3\n",
    "values.yaml": b"image: nginx\n",
    "templates/web.yaml": manifest("web", "{{ .Values.image }}:1.25"),
}
COPY = b"image: bak.example/m/library_nginx\n"


@dataclass
class MemoryElsewhere:
    """Places in memory, by URL; one without files cannot be had. `opened` has those that were asked for."""

    places: dict[str, Mapping[str, bytes]]
    opened: list[Place] = field(default_factory=list)

    def open(self, place: Place) -> "MemoryPlace":
        """What is there."""
        self.opened.append(place)
        if place.url not in self.places:
            raise Unavailable(Reason.UNSUPPORTED_SOURCE, f"{place} is away")
        return MemoryPlace(self.places[place.url])


@dataclass
class MemoryPlace:
    """Files."""

    files: Mapping[str, bytes]

    @property
    def identity(self) -> str:
        """What tells them from others."""
        return repr(self.files)

    def tree(self) -> dict[str, MemoryEntry]:
        """All paths."""
        return {path: MemoryEntry() for path in self.files}

    def read(self, paths: Iterable[str]) -> MemoryFiles:
        """The contents."""
        return MemoryFiles({path: self.files[path] for path in paths}, {})


def spread(first: Mapping[str, Any], *value_files: str, name: str = "shop") -> Application:
    """An Application with a chart and a repository that is called `values`."""
    helm = {"valueFiles": list(value_files)}
    return application(name, {**first, "helm": helm}, source(VALUES, "", ref="values"))


def drafted(
    branch: MemoryBranch,
    due: Iterable[Application],
    elsewhere: MemoryElsewhere,
    renderer: LocalRenderer,
    *,
    quiet: Iterable[Application] = (),
) -> Draft:
    """What the branch of the repository `VALUES` would be changed to."""
    image = workload("web", "nginx:1.25")
    shares = {each.name: (each, share_of(each)) for each in due}
    parts = [share.part(app, _due(image, f"argocd/{app.name}")) for app, share in shares.values()]
    readers = [share_of(app).reader(app, with_edited=True) for app in quiet]
    return draft(
        branch,
        COMMIT,
        parts,
        renderer=renderer,
        readers=[reader for reader in readers if reader is not None],
        elsewhere=elsewhere,
    )


def share_of(app: Application) -> Share:
    """The share of an Application in the repository `VALUES`."""
    return Share.of(app, lambda each: not each.chart and branch_of(each).repository == VALUES)


def left(made: Draft) -> list[str]:
    """What is left, and why."""
    return [f"{each.reason}: {each.message}" for each in made.left]


@pytest.mark.parametrize("url", [CHARTS, CODE])
def test_values_are_edited_of_a_chart_that_is_elsewhere(url: str, helm_renderer: LocalRenderer) -> None:
    """In a chart repository, or in another repository: it is rendered, and nothing of it is changed."""
    chart = source(url, "app") if url == CODE else source(url, "", "1.2.3", chart="web")
    files = {f"app/{path}": content for path, content in CHART.items()} if url == CODE else CHART
    elsewhere = MemoryElsewhere({url: files})
    branch = MemoryBranch({"web.yaml": b"image: nginx\n", "app/values.yaml": b"lookalike: nginx\n"})
    app = spread(chart, "$values/web.yaml")
    made = drafted(branch, [app], elsewhere, helm_renderer)
    assert (made.files, left(made)) == ({"web.yaml": COPY}, [])
    assert [(place.path, place.line) for place in made.places.values()] == [("web.yaml", 1)]
    assert [place.url for place in elsewhere.opened] == [url]
    assert [str(target) for target in management(app).targets] == [f"{VALUES} HEAD"]


def test_a_key_is_added_that_only_the_chart_has(helm_renderer: LocalRenderer) -> None:
    """To the last of the value files that is in the repository."""
    elsewhere = MemoryElsewhere({CHARTS: CHART})
    branch = MemoryBranch({"web.yaml": b"replicas: 1 # one\n"})
    made = drafted(
        branch, [spread(source(CHARTS, "", chart="web"), "$values/web.yaml")], elsewhere, helm_renderer
    )
    assert made.files == {"web.yaml": b"replicas: 1 # one\n" + COPY}


def test_what_cannot_be_had_is_the_reason(helm_renderer: LocalRenderer) -> None:
    """And nothing is edited without a proof."""
    branch = MemoryBranch({"web.yaml": b"image: nginx\n"})
    app = spread(source(CHARTS, "", "1.x", chart="web"), "$values/web.yaml")
    made = drafted(branch, [app], MemoryElsewhere({}), helm_renderer)
    assert (made.files, left(made)) == (
        {},
        ["UnsupportedSource: the chart web 1.x of https://charts.example is away"],
    )


def test_a_chart_elsewhere_speaks_against_an_edit_of_its_values(helm_renderer: LocalRenderer) -> None:
    """Where it would change in more than copies, and where it cannot be had to be rendered."""
    ours = {f"app/{path}": content for path, content in CHART.items()}
    theirs = {**CHART, "templates/web.yaml": manifest("web", "{{ .Values.image }}:1.26")}
    branch = MemoryBranch({**ours, "web.yaml": b"image: nginx\n"})
    own = application("own", {**source(VALUES, "app"), "helm": {"valueFiles": ["/web.yaml"]}})
    other = spread(source(CHARTS, "", "1.x", chart="web"), "$values/web.yaml", name="other")
    for places, why in (
        ({CHARTS: theirs}, "nginx:1.26"),
        ({}, "the chart web 1.x of https://charts.example is away"),
    ):
        made = drafted(branch, [own], MemoryElsewhere(dict(places)), helm_renderer, quiet=[other])
        assert not made.files
        (said,) = left(made)
        assert said.startswith(
            "ProofFailed: web.yaml, line 1, is read for the Application argocd/other, too: "
        )
        assert why in said
    made = drafted(branch, [own], MemoryElsewhere({CHARTS: CHART}), helm_renderer, quiet=[other])
    assert made.files == {"web.yaml": COPY}


def test_a_source_may_refer_to_itself(helm_renderer: LocalRenderer) -> None:
    """With a path and a name in one; nothing is elsewhere then."""
    files = {f"app/{path}": content for path, content in CHART.items()}
    branch = MemoryBranch({**files, "env/web.yaml": b"image: nginx\n"})
    own = {**source(VALUES, "app"), "ref": "me", "helm": {"valueFiles": ["$me/env/web.yaml"]}}
    elsewhere = MemoryElsewhere({})
    made = drafted(branch, [application("own", own)], elsewhere, helm_renderer)
    assert (made.files, left(made), elsewhere.opened) == ({"env/web.yaml": COPY}, [], [])


def test_a_repository_cannot_pass_its_files_off_as_those_from_elsewhere(helm_renderer: LocalRenderer) -> None:
    """Whatever it has below the folder that is reserved for these is not there."""
    chart = source(CHARTS, "", "1.x", chart="web")
    folder = folder_for(Place.of(spread(chart).sources[0]))
    planted = {f"{folder}/values.yaml": b"image: other\n", f"{folder}/templates/x.yaml": b"{{ fail }}"}
    branch = MemoryBranch({"web.yaml": b"image: nginx\n", **planted})
    elsewhere = MemoryElsewhere({CHARTS: CHART})
    made = drafted(branch, [spread(chart, "$values/web.yaml")], elsewhere, helm_renderer)
    assert made.files == {"web.yaml": COPY}
    made = drafted(branch, [spread(chart, f"$values/{folder}/values.yaml")], elsewhere, helm_renderer)
    assert not made.files
    assert len(left(made)) == 1


def test_many_applications_of_one_chart_open_it_once(helm_renderer: LocalRenderer) -> None:
    """Each has a value file of its own; what they share is not edited."""
    names = [f"app-{number}" for number in range(4)]
    elsewhere = MemoryElsewhere({CHARTS: CHART})
    branch = MemoryBranch({f"{name}.yaml": b"image: nginx\n" for name in names})
    apps = [spread(source(CHARTS, "", chart="web"), f"$values/{name}.yaml", name=name) for name in names]
    made = drafted(branch, apps, elsewhere, helm_renderer)
    assert made.files == {f"{name}.yaml": COPY for name in names}
    assert len(elsewhere.opened) == 1


def test_a_draft_stands_as_long_as_what_is_elsewhere_does(helm_renderer: LocalRenderer) -> None:
    """A chart by a range of versions may be another the next time."""
    elsewhere = MemoryElsewhere({CHARTS: CHART})
    app = spread(source(CHARTS, "", "1.x", chart="web"), "$values/web.yaml")
    made = drafted(MemoryBranch({"web.yaml": b""}), [app], elsewhere, helm_renderer)
    assert made.mounts is not None
    assert still_the_same(made.mounts, elsewhere)
    assert not still_the_same(made.mounts, MemoryElsewhere({CHARTS: {**CHART, "NOTES.md": b""}}))
    assert not still_the_same(made.mounts, MemoryElsewhere({}))


def test_the_last_repository_that_values_come_from_is_the_one_that_is_edited() -> None:
    """The chart's own where there is none, and the first that can be written where the last is pinned."""
    more = source("https://git.example/more", "", "1.2.x", ref="more")
    values = source(VALUES, "", ref="values")
    chart = source(CODE, "app")

    def targets(*value_files: str) -> list[str]:
        app = application("shop", {**chart, "helm": {"valueFiles": list(value_files)}}, values, more)
        return [str(target) for target in management(app).targets]

    assert targets("a.yaml") == [f"{CODE} HEAD"]
    assert targets("$values/a.yaml", "b.yaml") == [f"{VALUES} HEAD"]
    assert targets("$values/a.yaml", "$more/b.yaml") == [f"{VALUES} HEAD"]
