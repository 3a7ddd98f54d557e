"""Every way in which an image is written in Git, deployed by a real Argo CD, from upstream to backups on."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from tests.argocd.chart_repository import ChartRepository
from tests.argocd.world import FIRST, TEAM, World, backup_of, changes, images_of, replaced
from tests.end_to_end.harness import Controller, wait

_PREFIX = f"{Sandbox.backup_repository}/"
_NEXT, _NEWEST = "1.1.0", "2.0.0"
_SAID_BY_APPLICATIONS = 6
_SECONDS_TO_WATCH = float(os.environ.get("GITOPS_BACKUP_TEST_SECONDS_TO_WATCH", "120"))
_IMAGES = (
    "shapes/plain",
    "quay.io/shapes/plain-init",
    "ghcr.io/shapes/recursive",
    "shapes/recursive-agent",
    "quay.io/shapes/program",
    "shapes/program-agent",
    "shapes/web",
    "quay.io/shapes/log",
    "ghcr.io/shapes/renamed",
    "shapes/parts",
    "shapes/appversion",
    "ghcr.io/shapes/string",
    "quay.io/shapes/registry",
    "shapes/defaults",
    "docker.io/shapes/literal",
    "shapes/shared",
    "quay.io/shapes/referred",
    "shapes/umbrella",
    "shapes/umbrella-front",
    "shapes/overridden",
    "quay.io/shapes/source-parameters",
    "shapes/fleet-a",
    "shapes/fleet-b",
    "quay.io/shapes/outside",
    "shapes/team",
    "shapes/element-one",
    "ghcr.io/shapes/element-two",
    "shapes/stage-one",
    "shapes/inline-text",
    "quay.io/shapes/inline-object",
    "shapes/inline-parameters",
    "ghcr.io/shapes/inline-images",
)


@pytest.fixture
def charts(tmp_path: Path) -> Iterator[ChartRepository]:
    """A repository of charts."""
    folder = tmp_path / "charts"
    folder.mkdir()
    with ChartRepository(Path(__file__).parent / "charts", folder) as running:
        yield running


@pytest.fixture
def world(sandbox: Sandbox, charts: ChartRepository) -> World:
    """Every shape, live on upstream images, Synced and Healthy."""
    for image in _IMAGES:
        for tag in (FIRST, _NEXT, _NEWEST):
            sandbox.push(f"{image}:{tag}")
    made = World(sandbox, charts=charts.url)
    made.create()
    upstream = {f"{image}:{FIRST}" for image in _IMAGES}
    made.settle(lambda images: images == upstream, what="every Application to run upstream images")
    return made


@pytest.mark.timeout(1200)
def test_every_shape_ends_on_backups_goes_on_with_upgrades_and_stays(world: World, tmp_path: Path) -> None:
    """One commit per repository changes images alone; bumped tags are copied; nothing oscillates."""
    before, commits = world.objects(), world.commits()
    settings = {"download_prefixes": [world.charts], "argocd_namespaces": ["argocd", TEAM]}
    controller = Controller(world.sandbox, "gitops", folder=tmp_path / "controller", rights=(), **settings)
    with controller:
        first = {backup_of(f"{image}:{FIRST}") for image in _IMAGES}
        world.settle(lambda images: images == first, what="every Application to run backups")
        _assert_images_alone_changed(before, world.objects())
        assert world.commits() == {name: count + 1 for name, count in commits.items()}

        for repository in world.repositories:
            world.replace(repository, {FIRST: _NEXT})
        bumped = {backup_of(f"{image}:{_NEXT}") for image in _IMAGES}
        world.settle(lambda images: images == bumped, what="every upgrade to go through")
        assert world.commits() == {name: count + 2 for name, count in commits.items()}

        for repository in world.repositories:
            world.replace(repository, {_NEXT: _NEWEST, **{backup_of(image): image for image in _IMAGES}})
        newest = {backup_of(f"{image}:{_NEWEST}") for image in _IMAGES}
        world.settle(lambda images: images == newest, what="upgrades to upstream to be rewritten again")

        _heal(world)
        _assert_still(world)


def _assert_images_alone_changed(before: Mapping[str, Json], after: Mapping[str, Json]) -> None:
    """Of workloads all images, and of what Applications say themselves the names of images."""
    wanted = {where: backup_of(image) for where, image in images_of(before).items()}
    names = {image: backup_of(image) for image in _IMAGES}
    found = changes(before, after)
    said = {where: each for where, each in found.items() if "/argoproj.io/" in where[0]}
    assert {where: each.after for where, each in found.items() if where not in said} == wanted
    assert len(said) == _SAID_BY_APPLICATIONS
    assert [each for each in said.values() if replaced(str(each.before), names) != each.after] == []


def _heal(world: World) -> None:
    for path in world.applications():
        world.api.merge(path, {"spec": {"syncPolicy": {"automated": {"selfHeal": True}}}})
    wait(5)
    world.settle(lambda _: True, what="self-healing to find nothing to heal")


def _assert_still(world: World) -> None:
    """Nothing is committed, synced or changed in any object for two minutes."""
    commits, objects, applications = world.commits(), world.objects(), world.applications()
    deadline = time.monotonic() + _SECONDS_TO_WATCH
    while time.monotonic() < deadline:
        wait(2)
        assert world.commits() == commits
        assert not changes(objects, world.objects())
        assert not world.unsettled()
    history = {path: each["status"]["history"] for path, each in world.applications().items()}
    assert history == {path: each["status"]["history"] for path, each in applications.items()}
