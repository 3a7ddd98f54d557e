"""Programs of jsonnet with traps for whoever evaluates them."""

from collections.abc import Iterator

from tests.hostile.traps import Outside, Trap
from tests.hostile.traps_in_git import LINK

MAIN = "app/main.jsonnet"
PROGRAM = """local trap = std.toString(TRAP); {
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', annotations: { a: trap } },
  spec: { template: { spec: { containers: [{ name: 'c0', image: 'nginx:1.25' }] } } },
}
"""


def traps_in_programs(outside: Outside) -> Iterator[Trap]:
    """Imports from elsewhere, and programs without an end."""
    above = f"../../../../..{outside.file}"
    for keyword in ("import", "importstr", "importbin"):
        for name, path in (
            ("above the repository", f"'{above}'"),
            ("by an absolute path", f"@'{outside.file}'"),
            ("with escapes", '"\\u002e\\u002e/' + above[3:] + '"'),
            ("in odd places", f"/* '' */ // '\n '{above}'"),
        ):
            says = "app/main.jsonnet, line"
            yield _does(f"{keyword} {name}", f"{keyword} {path}", "UnsupportedSource", says)
    yield _does("what is on a server", f"importstr '{outside.url}/x'", "RenderFailed", "couldn't open")
    yield _does("a computed import", f"import ('{above}' + '')", "RenderFailed", "Computed imports")
    block = f"import |||\n  {above}\n|||"
    yield _does("a block of text for an import", block, "UnsupportedSource", "line 2")
    yield _does("a variable of the environment", "std.extVar('HOME')", "RenderFailed", "external variable")
    yield _does("a native function", "std.native('exec')('id')", "RenderFailed", "expected function")
    yield _does("itself", "import 'main.jsonnet'", "RenderFailed", "max stack frames")
    yield _does(
        "more than the memory",
        "std.length(std.foldl(function(a, b) a + a, std.range(1, 40), [1]))",
        "RenderFailed",
        "jsonnet crashed",
    )
    loop = "std.length([x for x in std.range(1, 100000) for y in std.range(1, 100000) if x + y < 0])"
    yield _does("more than the time", loop, "RenderFailed", "jsonnet computed for more than 2 s")
    yield _does(
        "more than is read",
        "std.foldl(function(a, b) a + a, std.range(1, 22), 'x')",
        "RenderFailed",
        "printed more than 4 MB",
    )
    nested = "std.foldl(function(a, b) [a], std.range(1, 400), [])"
    yield Trap(
        "what is deeper than anybody needs",
        {MAIN: PROGRAM.replace("std.toString(TRAP)", nested)},
        None,
        edited=MAIN,
    )
    odd = 'import "a\\nb\\u001b[31m/../../../x"'
    yield _does("a name with line breaks", odd, "UnsupportedSource", "line 1")
    yield Trap(
        "a library that leads out",
        {MAIN: PROGRAM.replace("TRAP", "1")},
        "UnsupportedSource",
        "directory.jsonnet.libs names ../../x, which leads out of the repository",
        source={"directory": {"jsonnet": {"libs": ["../../x"]}}},
    )
    yield Trap(
        "an import that is a link",
        {MAIN: PROGRAM.replace("TRAP", "importstr 'link'"), "app/link": str(outside.file)},
        "UnsupportedSource",
        "app/link is a symbolic link",
        modes={"app/link": LINK},
    )
    yield Trap(
        "a program that is a link",
        {MAIN: str(outside.file)},
        "UnsupportedSource",
        "app/main.jsonnet is a symbolic link",
        modes={MAIN: LINK},
    )
    quotes = "/*" * 400_000
    yield Trap("comments without an end", {MAIN: f"{PROGRAM}{quotes}"}, "RenderFailed", "jsonnet says")
    code = {"name": "x", "value": f"importstr '{outside.file}'", "code": True}
    yield Trap(
        "code of the Application that reads a file",
        {MAIN: PROGRAM.replace("TRAP", "std.extVar('x')")},
        "UnsupportedSource",
        "directory.jsonnet.extVars[x]",
        source={"directory": {"jsonnet": {"extVars": [code]}}},
    )


def _does(name: str, trap: str, reason: str, says: str) -> Trap:
    return Trap(name, {MAIN: PROGRAM.replace("TRAP", trap)}, reason, says)
