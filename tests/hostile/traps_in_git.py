"""Repositories with traps for Git, and for whoever reads files of a repository."""

from collections.abc import Iterator
from itertools import pairwise

from tests.hostile.traps import IMAGE, WEB, Outside, Trap

LINK, SUBMODULE = "120000", "160000"
_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in pairwise("abcdefghi")
)
_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n".format("a" * 64)
_DEEP = "/".join(["deep"] * 150)


def traps_in_git(outside: Outside) -> Iterator[Trap]:
    """Links, submodules, filters, names, sizes."""
    run = f"touch {outside.sentinel}"
    link = {"app/web.yaml": str(outside.file)}
    yield Trap(
        "a link out of the repository in the place of a manifest",
        link,
        "UnsupportedSource",
        "app/web.yaml is a symbolic link",
        modes={"app/web.yaml": LINK},
    )
    yield Trap(
        "a link out of the repository in the place of the folder",
        {"app": str(outside.file.parent)},
        "UnsupportedSource",
        "app is a symbolic link",
        modes={"app": LINK},
    )
    yield Trap(
        "a path that leads out", {"app/web.yaml": WEB}, "NotFoundInSource", "leads out", path="../outside"
    )
    yield Trap(
        "an absolute path",
        {"app/web.yaml": WEB},
        "NotFoundInSource",
        path=str(outside.file.parent),
    )
    yield Trap(
        "filters, diff drivers and encodings",
        {
            ".gitattributes": "* filter=trap diff=trap text eol=crlf working-tree-encoding=UTF-16\n",
            ".gitconfig": f'[filter "trap"]\n\tsmudge = {run}\n\tclean = {run}\n',
            "app/web.yaml": WEB,
        },
        None,
        edited="app/web.yaml",
    )
    yield Trap(
        "hooks",
        {"hooks/pre-push": f"#!/bin/sh\n{run}\n", ".githooks/post-checkout": f"#!/bin/sh\n{run}\n"}
        | {"app/web.yaml": WEB},
        None,
        modes={"hooks/pre-push": "100755", ".githooks/post-checkout": "100755"},
        edited="app/web.yaml",
    )
    yield Trap(
        "a submodule that runs a program",
        {
            ".gitmodules": f'[submodule "app/sub"]\n\tpath = app/sub\n\turl = "ext::sh -c {run}"\n',
            "app/sub": "a submodule",
            "app/web.yaml": WEB,
        },
        None,
        modes={"app/sub": SUBMODULE},
        edited="app/web.yaml",
    )
    yield Trap(
        "a submodule in the place of the folder",
        {
            ".gitmodules": f'[submodule "app"]\n\tpath = app\n\turl = {outside.url}/sub.git\n',
            "app": "a submodule",
        },
        "NotFoundInSource",
        modes={"app": SUBMODULE},
    )
    yield Trap(
        "a pointer to a large file elsewhere",
        {".lfsconfig": f"[lfs]\n\turl = {outside.url}\n", "app/web.yaml": _POINTER}
        | {".gitattributes": "*.yaml filter=lfs diff=lfs merge=lfs -text\n"},
        "NotFoundInSource",
    )
    yield Trap(
        "names that control terminals and end lines",
        {
            "app/web.yaml": WEB,
            "app/a\n\x1b[31mb.yaml": WEB.replace(IMAGE, "[").replace("name: web", "name: x"),
            "app/c\rd.yaml": "kind: [\n",
        },
        None,
        edited="app/web.yaml",
    )
    yield Trap(
        "names that differ in case",
        {
            "app/web.yaml": WEB,
            "app/WEB.yaml": WEB.replace("name: web", "name: big"),
            "APP/web.yaml": "kind: [\n",
        },
        None,
        edited="app/web.yaml",
    )
    yield Trap(
        "folders that are very deep",
        {f"app/{_DEEP}/web.yaml": WEB},
        None,
        source={"directory": {"recurse": True}},
        edited=f"app/{_DEEP}/web.yaml",
    )
    yield Trap(
        "aliases that stand for millions",
        {"app/web.yaml": _BOMB + WEB},
        "InvalidManifest",
        "app/web.yaml, line 1",
    )
    yield Trap(
        "an anchor that contains itself",
        {"app/web.yaml": "a: &a [*a]\n" + WEB},
        "InvalidManifest",
        "contains itself",
    )
    yield Trap(
        "brackets without end",
        {"app/web.yaml": WEB + "[" * 1_000_000},
        "InvalidManifest",
        "app/web.yaml, line 10",
    )
    yield Trap(
        "a file that is huge", {"app/web.yaml": "#" * (11 << 20) + "\n" + WEB}, "NotFoundInSource", "bytes"
    )
