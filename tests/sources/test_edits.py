"""Splices and diffs: bytes stay as they are, and git takes the diff."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.sources.edits import OverlappingEdits, Span, Splice, apply, lines_before, unified_diff

NAMES = {
    "plain": "apps/web.yaml",
    "a space": "my apps/web app.yaml",
    "not ASCII": "app/é.yaml",
    "quotes and a backslash": 'a"b\\c.yaml',
    "a tab and a newline": "a\tb\nc.yaml",
    "no UTF-8": b"latin-\xe9.yaml".decode("utf-8", "surrogateescape"),
}

CHANGES = {
    "one line": (b"a\nb\nc\n", b"a\nB\nc\n"),
    "no final newline, changed": (b"a\nb", b"a\nB"),
    "no final newline, in the context": (b"a\nb\nc", b"A\nb\nc"),
    "a final newline added": (b"a\nb", b"a\nb\n"),
    "carriage returns": (b"a\r\nb\r\nc\r\n", b"a\r\nB\r\nc\r\n"),
    "lone carriage returns": (b"a\rb\nc\n", b"a\rB\nc\n"),
    "a byte order mark": (b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfA\nb\n"),
    "bytes that are no UTF-8": (b"# \xe9\na\n", b"# \xe9\nb\n"),
    "lines fewer": (b"a\nb\nc\nd\n", b"a\nd\n"),
    "lines more": (b"a\nd\n", b"a\nb\nc\nd\n"),
    "neighbours": (b"a\nb\nc\nd\n", b"a\nB\nC\nd\n"),
    "two hunks": (b"".join(b"%d\n" % i for i in range(40)), b"".join(b"%d\n" % (i or 99) for i in range(40))),
    "far apart": (
        b"".join(b"%d\n" % i for i in range(40)),
        b"".join(b"%d\n" % (i if i not in {5, 12, 13, 30} else -i) for i in range(40)),
    ),
    "separators that git does not know": (
        "a\x0bb\x85c\u2028d\ne\n".encode(),
        "a\x0bB\x85c\u2028d\ne\n".encode(),
    ),
    "from nothing": (b"", b"a\n"),
    "to nothing": (b"a\n", b""),
}


def test_splices_apply_in_any_order() -> None:
    """Each span is replaced, in whatever order the splices come and however long the new text is."""
    splices = [Splice(Span(6, 7), b"eleven"), Splice(Span(0, 1), b""), Splice(Span(3, 3), b"!")]
    assert apply(b"abcdefgh", splices) == b"bc!defelevenh"


@pytest.mark.parametrize(
    "spans", [[(0, 3), (2, 4)], [(1, 5), (2, 3)], [(2, 9)], [(3, 2)], [(-1, 2)]], ids=str
)
def test_overlapping_splices_are_refused(spans: list[tuple[int, int]]) -> None:
    """Two edits of one byte, or an edit outside of the file, are a mistake of the caller's."""
    with pytest.raises(OverlappingEdits):
        apply(b"abcdef", [Splice(Span(*span), b"x") for span in spans])


def test_a_diff_of_nothing_is_empty() -> None:
    """Where nothing changed there is nothing to print."""
    assert unified_diff("a", b"x\n", b"x\n") == ""


def test_a_diff_reads_as_gits_own() -> None:
    """Three lines of context, and touching changes together, first what goes and then what comes."""
    before = b"".join(b"line %d\n" % i for i in range(1, 10))
    after = before.replace(b"line 5", b"LINE 5").replace(b"line 6", b"LINE 6")
    assert unified_diff("a b.txt", before, after) == (
        "diff --git a/a b.txt b/a b.txt\n"
        "--- a/a b.txt\t\n"
        "+++ b/a b.txt\t\n"
        "@@ -2,8 +2,8 @@\n"
        " line 2\n line 3\n line 4\n"
        "-line 5\n-line 6\n"
        "+LINE 5\n+LINE 6\n"
        " line 7\n line 8\n line 9\n"
    )


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_git_applies_the_diff(change: tuple[bytes, bytes], tmp_path: Path) -> None:
    """What git makes of the old file with the diff is the new file, byte for byte."""
    assert applied("web.yaml", *change, folder=tmp_path) == change[1]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_git_finds_the_file_whatever_its_name(name: str, tmp_path: Path) -> None:
    """Odd names are quoted as git quotes them."""
    assert applied(name, b"a\nb\nc\n", b"a\nB\nc\n", folder=tmp_path) == b"a\nB\nc\n"


lines = st.lists(
    st.sampled_from([b"a", b"b", b"", b"\xc3\xa9", b"\xff", b"- x", b"+y", b"\\ z", b"c\r"]), max_size=30
)


@settings(max_examples=60)
@given(before=lines, after=lines, ends=st.tuples(st.booleans(), st.booleans()))
def test_git_applies_every_diff(
    before: list[bytes], after: list[bytes], ends: tuple[bool, bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any two files of lines give a diff that makes the one of the other."""
    old = b"\n".join(before) + b"\n" * ends[0]
    new = b"\n".join(after) + b"\n" * ends[1]
    assert applied("f", old, new, folder=tmp_path_factory.mktemp("diff")) == new


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("content", [b"one\n", b"one\ntwo"])
def test_git_makes_a_file_that_is_new(name: str, content: bytes, tmp_path: Path) -> None:
    """And no other that is called nearly so."""
    assert applied(name, None, content, folder=tmp_path) == content
    assert unified_diff("a b", None, b"x\n") == (
        "diff --git a/a b b/a b\nnew file mode 100644\n--- /dev/null\n+++ b/a b\t\n@@ -0,0 +1 @@\n+x\n"
    )


def applied(name: str, before: bytes | None, after: bytes, *, folder: Path) -> bytes:
    """What `git apply` makes of a file with our diff."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if before is not None:
        path.write_bytes(before)
    diff = unified_diff(name, before, after).encode("utf-8", "surrogateescape")
    if diff:
        command = ["git", "apply", "--whitespace=nowarn", "-"]
        environment = {
            "PATH": "/usr/bin:/bin",
            "GIT_CEILING_DIRECTORIES": str(folder.parent),
            "HOME": str(folder),
        }
        done = subprocess.run(
            command, input=diff, cwd=folder, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, (done.stderr, diff)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("a b c", "a x c", {1: 1, 2: 2, 3: 3}),
        ("a b c", "a b c x y", {3: 3, 4: 3, 5: 3}),
        ("a b c", "a x y b c", {1: 1, 2: 1, 3: 1, 4: 2, 5: 3}),
        ("a b c", "x a b c", {1: 1, 2: 1, 4: 3}),
        ("a b c d", "a x y z d", {2: 2, 3: 3, 4: 3, 5: 4}),
        ("", "x", {1: 1}),
    ],
)
def test_a_line_is_found_again_in_what_was_before(before: str, after: str, lines: dict[int, int]) -> None:
    """One that was put in stands at the line before it."""
    old, new = ("".join(f"{word}\n" for word in text.split()).encode() for text in (before, after))
    found = lines_before(old, new)
    assert {line: found(line) for line in lines} == lines
