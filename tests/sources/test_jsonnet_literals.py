"""Strings in programs of jsonnet are found as jsonnet finds them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.jsonnet.imports import imports_in
from gitops_backup.sources.jsonnet.literals import literals_in, spelled
from gitops_backup.sources.rendering import JsonnetOptions


@pytest.mark.parametrize(
    ("program", "texts"),
    [
        ("\"a\" + 'b'", ["a", "b"]),
        ("@\"a\"\"b\" + @'a''b\\n'", ['a"b', "a'b\\n"]),
        (r'"\"\\\/\b\f\n\r\té😀"', ['"\\/\b\f\n\r\té😀']),
        ("# 'a'\n// \"b\"\n/* 'c' */ 'd'", ["d"]),
        ("'# a' + '// b' + '/* c'", ["# a", "// b", "/* c"]),
        ("1 / 2 /* 'x' */ + 'y' // 'z'", ["y"]),
        ("|||\n  a\n   b\n\n  c\n||| + 'd'", ["a\n b\n\nc\n", "d"]),
        ("|||-\n\n\ta 'b'\n  ||| + 'd'", ["\na 'b'", "d"]),
        ("{ a:||| \r\n  x\n |||, b: 'y' }", ["x\n", "y"]),
        ("local s = ||| \n  |||| \n  ||| \n|||; s", ["|||| \n||| \n"]),
        ("'é' + \"a\nb\"", ["é", "a\nb"]),
        ("a['b'] || 'c'", ["b", "c"]),
        ("'a", []),
        ("'a' + |||\nx", ["a"]),
        ("'a' + /* 'b'", ["a"]),
        ("'a' + @x 'b'", ["a", "b"]),
    ],
)
def test_strings_are_found(program: str, texts: list[str]) -> None:
    """Whatever is in comments, or looks like a comment in a string; up to what is no string."""
    content = program.encode()
    assert [spelled(content, each).text for each in literals_in(content)] == texts


@pytest.mark.parametrize(
    ("program", "names"),
    [
        ("import 'a' + importstr \"b\" + importbin @'c'", [("a", True), ("b", False), ("c", False)]),
        ("(import/* why */ // so\n # and so\n 'a').b", [("a", True)]),
        ("importx 'a' + ximport 'b' + import_ 'c' + { 'import': 'd', importing: 'e' }", []),
        ("import ('a') + import b + 'c'", []),
        ("'import' + \"a\" + 'import \\'b\\''", []),
        (r"import '../x'", [("../x", True)]),
        ("# import 'a'\nimport 'b'", [("b", True)]),
    ],
)
def test_imports_are_found(program: str, names: list[tuple[str, bool]]) -> None:
    """The strings right behind the keyword."""
    assert [(each.name, each.evaluated) for each in imports_in(program.encode())] == names


def test_names_of_fields_are_told_apart() -> None:
    """What is before a colon."""
    content = b"{ 'a': 'b', 'c'+: {}, 'd' :: 'e', f: ['g'], ['h']: 'i' }"
    assert [spelled(content, each).text for each in literals_in(content) if each.is_key] == ["a", "c", "d"]


TEXTS = st.text(alphabet=st.sampled_from("ab/:.@%'\"\\|# \t\n\r\x00é😀"), max_size=12)
FORMS = st.sampled_from(["json", "ascii", "double", "single", "@'", '@"', "|||", "|||-"])


def written(text: str, form: str) -> str:
    """A string in a form that can say it."""
    if form in ("json", "ascii"):
        return json.dumps(text, ensure_ascii=form == "ascii")
    if form in ("double", "single"):
        quote = '"' if form == "double" else "'"
        return quote + text.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote
    if form in ("@'", '@"'):
        return form + text.replace(form[1], form[1] * 2) + form[1]
    lines = "".join(f"\t {line}\n" if line else "\n" for line in text.split("\n"))
    return f"{form}\n\t .\n{lines}  |||"


@settings(max_examples=60, deadline=None)
@given(given=st.lists(st.tuples(TEXTS, FORMS), min_size=1, max_size=6))
def test_strings_say_what_jsonnet_reads(
    jsonnet_renderer: LocalRenderer, given: list[tuple[str, str]]
) -> None:
    """In all forms, whatever is in them; each character is where it is said to be."""
    program = "/* ' */ [" + ', # "\n'.join(written(text, form) for text, form in given) + "]"
    content = program.encode()
    read = json.loads(jsonnet_renderer.jsonnet({"a.jsonnet": content}, "a.jsonnet", JsonnetOptions()))
    spellings = [spelled(content, each) for each in literals_in(content)]
    assert [each.text for each in spellings] == read
    for each in spellings:
        for number, letter in enumerate(each.text):
            if letter in "ab/:.":
                assert content.startswith(letter.encode(), each.offsets[number])
