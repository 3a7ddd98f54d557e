"""Evaluating with a real jsonnet: what comes out, what it is given, and where it ends."""

import json
from pathlib import Path

import pytest

from gitops_backup.rendering.limits import Limits
from gitops_backup.rendering.program import Way
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.rendering import JsonnetOptions, RenderFailed, Variable

NOTHING = JsonnetOptions()


def made(renderer: LocalRenderer, program: str, options: JsonnetOptions = NOTHING, **files: str) -> object:
    """What a program evaluates to, in a folder with other files."""
    contents = {
        "app/main.jsonnet": program,
        **{path.replace("__", "/"): each for path, each in files.items()},
    }
    encoded = {path: content.encode() for path, content in contents.items()}
    found: object = json.loads(renderer.jsonnet(encoded, "app/main.jsonnet", options))
    return found


def test_a_program_is_evaluated(jsonnet_renderer: LocalRenderer) -> None:
    """As JSON."""
    assert made(jsonnet_renderer, "local a = 1; { a: a + 1, b:: 3 }") == {"a": 2}
    assert "v0.22.0" in jsonnet_renderer.version


def test_imports_are_looked_for_beside_the_file_and_then_in_the_last_library(
    jsonnet_renderer: LocalRenderer,
) -> None:
    """The order of Argo CD: what stands beside a file, the libraries from the last on."""
    files = {
        "app__own": "1",
        "one__own": "2",
        "one__a": "3",
        "two__a": "4",
        "two__b": "import 'c'",
        "two__c": "5",
    }
    program = "[import 'own', import 'a', import 'b']"
    assert made(jsonnet_renderer, program, JsonnetOptions(libraries=("one", "two")), **files) == [1, 4, 5]
    assert made(jsonnet_renderer, program, JsonnetOptions(libraries=("two", "one")), **files) == [1, 3, 5]


def test_variables_are_given_as_they_are(jsonnet_renderer: LocalRenderer) -> None:
    """Texts and code, external and of the function."""
    options = JsonnetOptions(
        variables=(Variable("x", "a\n=\"'$"), Variable("x y", "-1")),
        arguments=(Variable("t", "1"), Variable("c", "[std.extVar('x y')]", code=True)),
    )
    program = "function(t, c) [std.extVar('x'), t, c]"
    assert made(jsonnet_renderer, program, options) == ["a\n=\"'$", "1", ["-1"]]


def test_code_has_the_libraries(jsonnet_renderer: LocalRenderer) -> None:
    """It stands in no folder of its own."""
    options = JsonnetOptions(libraries=("lib",), variables=(Variable("x", "import 'a'", code=True),))
    assert made(jsonnet_renderer, "std.extVar('x')", options, lib__a="1") == 1


def test_another_jsonnet_is_refused(tmp_path: Path) -> None:
    """That of C++ is a program of the same name; what it makes is not known to be what Argo CD makes."""
    other = tmp_path / "jsonnet"
    other.write_text("#!/bin/sh\necho Jsonnet commandline interpreter v0.20.0\n")
    other.chmod(0o755)
    with pytest.raises(RenderFailed, match="expected the jsonnet of go-jsonnet"):
        made(LocalRenderer(jsonnet=other, scratch=tmp_path / "scratch"), "{}")


@pytest.mark.parametrize("path", ["{outside}/secret", "{up}{outside}/secret", "../../../outside/secret"])
def test_nothing_outside_is_read(jsonnet: Path, tmp_path: Path, path: str) -> None:
    """With a root of its own, there is nothing else; without, it must not be given such programs."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("sentinel")
    renderer = LocalRenderer(jsonnet=jsonnet, scratch=tmp_path / "scratch", ways=[Way.ROOT])
    asked = path.format(outside=outside, up="/".join([".."] * 30))
    with pytest.raises(RenderFailed) as caught:
        made(renderer, f"importstr '{asked}'")
    assert "sentinel" not in caught.value.message


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("error 'no such thing'", "jsonnet says: RUNTIME ERROR: no such thing app/main.jsonnet:1:1"),
        ("{", "jsonnet says: app/main.jsonnet:1:2 Unexpected: end of file"),
        ("import 'gone'", "couldn't open import"),
        ("std.extVar('x')", "Undefined external variable: x"),
        ("function(x) x", "Missing argument: x"),
        ("local f(x) = f(x) + 1; f(1)", "max stack frames exceeded"),
        ("import 'main.jsonnet'", "max stack frames exceeded"),
        ("{ a: $ }", "max stack frames exceeded"),
    ],
)
def test_a_failure_is_told_in_jsonnets_words(
    jsonnet_renderer: LocalRenderer, program: str, said: str
) -> None:
    """In one line, and with the names of files as the repository has them."""
    with pytest.raises(RenderFailed) as caught:
        made(jsonnet_renderer, program)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("program", "limits", "said"),
    [
        (
            "std.foldl(function(a, b) a + a, std.range(1, 60), 'x')",
            Limits(memory_megabytes=192),
            "jsonnet crashed; it may use 192 MB of memory",
        ),
        (
            "std.length([x for x in std.range(1, 100000) for y in std.range(1, 100000) if x + y < 0])",
            Limits(cpu_seconds=1),
            "jsonnet computed for more than 1 s",
        ),
        (
            "std.foldl(function(a, b) a + a, std.range(1, 21), 'x')",
            Limits(output_megabytes=1),
            "jsonnet printed more than 1 MB",
        ),
    ],
    ids=["memory", "time", "output"],
)
def test_bombs_end_by_the_limits(
    jsonnet: Path, tmp_path: Path, program: str, limits: Limits, said: str
) -> None:
    """In a reason."""
    renderer = LocalRenderer(jsonnet=jsonnet, scratch=tmp_path / "scratch", limits=limits)
    with pytest.raises(RenderFailed) as caught:
        made(renderer, program)
    assert caught.value.message == said
