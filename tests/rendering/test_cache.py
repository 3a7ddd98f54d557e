"""Renderings that were made before are not made again."""

from dataclasses import dataclass, field

import pytest

from gitops_backup.rendering.cache import CachingRenderer
from gitops_backup.rendering.program import RenderTimedOut
from gitops_backup.sources.rendering import Files, HelmOptions, JsonnetOptions, RenderFailed, Variable

HELM = HelmOptions(release="web", namespace="shop")


@dataclass
class Counting:
    """Says how often it was asked, and what; the file `fail` makes it fail, `slow` take too long."""

    asked: list[str] = field(default_factory=list)

    def kustomize(self, files: Files, folder: str, *, again: bool = False) -> bytes:
        """Which rendering this is."""
        self.asked.append(f"kustomize {folder}{' again' if again else ''}")
        if "slow" in files:
            raise RenderTimedOut("took too long")
        if "fail" in files:
            raise RenderFailed("failed", hint="look")
        return f"{len(self.asked)}".encode() * 100

    def helm(self, files: Files, folder: str, options: HelmOptions, *, again: bool = False) -> bytes:
        """Which rendering this is."""
        self.asked.append(f"helm {folder} {options.release} {sorted(files)}{' again' if again else ''}")
        return f"{len(self.asked)}".encode()

    def jsonnet(self, files: Files, path: str, options: JsonnetOptions, *, again: bool = False) -> bytes:
        """Which rendering this is."""
        self.asked.append(f"jsonnet {path}{' again' if again else ''}")
        return f"{len(self.asked)}".encode()


def test_the_same_is_rendered_once() -> None:
    """The order of files is no difference."""
    counting = Counting()
    cache = CachingRenderer(counting, version="1")
    first = cache.kustomize({"a": b"1", "b": b"2"}, "a")
    assert cache.kustomize({"b": b"2", "a": b"1"}, "a") == first
    assert cache.helm({"a": b"1"}, "a", HELM) == cache.helm({"a": b"1"}, "a", HELM)
    assert len(counting.asked) == 2


def test_whatever_differs_is_rendered() -> None:
    """A content, a name, the folder, the options, the program."""
    counting = Counting()
    cache = CachingRenderer(counting, version="1")
    for files in ({"a": b"1"}, {"a": b"2"}, {"b": b"1"}, {"a": b"1", "b": b""}, {"ab": b"1"}):
        cache.kustomize(files, "a")
    cache.kustomize({"a": b"1"}, "b")
    cache.helm({"a": b"1"}, "a", HELM)
    cache.helm({"a": b"1"}, "a", HelmOptions(release="other", namespace="shop"))
    assert len(counting.asked) == 8
    for value in ("1", "2", "1"):
        cache.jsonnet({"a": b"1"}, "a", JsonnetOptions(variables=(Variable("x", value),)))
    cache.jsonnet({"a": b"1"}, "a", JsonnetOptions(arguments=(Variable("x", "1"),)))
    assert counting.asked[8:] == ["jsonnet a"] * 3


def test_a_rendering_can_be_asked_for_again() -> None:
    """It is not kept, so that what was kept stays the baseline."""
    counting = Counting()
    cache = CachingRenderer(counting, version="1")
    kept = cache.kustomize({"a": b"1"}, "a")
    assert cache.kustomize({"a": b"1"}, "a", again=True) != kept
    assert cache.kustomize({"a": b"1"}, "a") == kept
    assert counting.asked == ["kustomize a", "kustomize a again"]


def test_a_failure_is_kept_but_not_slowness() -> None:
    """What failed fails again with the same words; a busy machine is not busy for ever."""
    counting = Counting()
    cache = CachingRenderer(counting, version="1")
    for _ in range(2):
        with pytest.raises(RenderFailed, match="failed") as caught:
            cache.kustomize({"fail": b""}, "a")
        assert caught.value.hint == "look"
    assert len(counting.asked) == 1
    for _ in range(2):
        with pytest.raises(RenderTimedOut):
            cache.kustomize({"slow": b""}, "a")
    assert len(counting.asked) == 3


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    """Bytes are what is counted."""
    counting = Counting()
    cache = CachingRenderer(counting, version="1", largest=500)
    for name in "aba":
        cache.kustomize({name: b""}, "a")
    cache.kustomize({"c": b""}, "a")  # b goes
    cache.kustomize({"a": b""}, "a")
    assert len(counting.asked) == 3
    cache.kustomize({"b": b""}, "a")
    assert len(counting.asked) == 4
