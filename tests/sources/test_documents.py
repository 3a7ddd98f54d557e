"""Files as trees: where a node stands in the bytes, what is refused, and that nobody is harmed by it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yaml.nodes import MappingNode, Node, SequenceNode

from gitops_backup.sources.documents import (
    DEEPEST,
    FASTEST,
    LARGEST,
    Composing,
    Document,
    File,
    InvalidManifest,
    PureComposer,
    libyaml,
    line_of,
)

LIBYAML = libyaml()
assert LIBYAML is not None
COMPOSERS: dict[str, type[Composing]] = {"libyaml": LIBYAML, "pure": PureComposer}

PLACES = {
    "plain": "a: {}\n",
    "after a comment": "# nginx\na: {} # nginx\n",
    "quoted": "a: '{}'\n",
    "double quoted": 'a: "{}"\n',
    "a block": "a: >-\n  {}\n",
    "after an accent": "# é\nü: {}\n",
    "after an emoji": "b: 😀\na: {}\n",
    "with CRLF": "# é\r\na: {}\r\n",
    "with an anchor": "a: &x {}\nb: *x\n",
    "with a tag": "a: !!str {}\n",
    "in flow style": "{{a: {}, b: c}}\n",
    "an explicit key": "? a\n: {}\n",
    "without a final newline": "a: {}",
    "after directives": "%YAML 1.1\n%TAG ! tag:x,2000:\n---\na: {}\n",
    "in a later document": "---\n# é\n--- # comment\nb: 1\n...\n# c\n---\na: {}\n...\n",
    "after lines that only YAML ends": "b: c\u0085d: e\u2028a: {}\n",
    "after a lone carriage return": "b: c\ra: {}\n",
    "after a BOM in the middle": "b: c\n---\n\ufeff# x\n---\na: {}\n",
}

INVALID = {
    "a tab": (b"a:\n  b: 1\n\tc: 2\n", 3, 1),
    "a template": (b"a: 1\nimage: {{ .Values.image }}:{{ .Values.tag }}\n", 2, 27),
    "an alias of nothing": (b"a: 1\nb: *x\n", 2, 4),
    "a control character": (b"a: 1\nb: \x07\n", 2, 4),
    "an open quote": (b'a: 1\nb: "x\n', 3, 1),
    "two values in one line": (b"a: 1\nb: c: d\n", 2, 5),
    "UTF-16": ("a: nginx\n".encode("utf-16"), 1, 4),
    "itself within": (b"a: 1\nb: &x\n  - *x\n", 2, 4),
}

BOMBS = {
    "flow sequences": b"[" * 200_000,
    "block sequences": b"- " * 200_000,
    "flow mappings": b"{a: " * 200_000,
    "explicit keys": b"? " * 200_000,
    "indentation": b"\n".join(b" " * level + b"a:" for level in range(2_000)),
    "sequences in mappings": b"\n".join(
        b"  " * level + b"a:\n" + b"  " * level + b"- b:" for level in range(900)
    ),
    "indentation in lines that YAML alone knows": "".join(
        " " * n + "a:\u2028" for n in range(2_000)
    ).encode(),
    "JSON": b'{"a":' * 200_000,
    "JSON lists": b"{}" + b"[" * 200_000,
}


def laughs(levels: int) -> bytes:
    """Nine of the ones before, again and again: a file of a few bytes that stands for millions."""
    lines = ["a0: &a0 x"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("composer", COMPOSERS.values(), ids=COMPOSERS.keys())
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_a_node_is_found_in_the_bytes(place: str, mark: bytes, composer: type[Composing]) -> None:
    """The bytes of a span are the node as it is written, whatever stands before it."""
    content = mark + place.format("nginx:1.25").encode()
    file = File.read("web.yaml", content, composer=composer)
    found = [node for document in file.documents() for node in nodes(document.root)]
    (node,) = {id(node): node for node in found if node.value == "nginx:1.25"}.values()
    written = written_at(file, node)
    assert written == file.raw(node)
    assert "nginx:1.25" in written


@pytest.mark.parametrize("composer", COMPOSERS.values(), ids=COMPOSERS.keys())
def test_bytes_that_are_no_utf8_shift_nothing(composer: type[Composing]) -> None:
    """Argo CD reads a file with an accent in Latin-1 in a comment, so it is read here."""
    content = b"# caf\xe9 \xff\xfe\na: nginx\n"
    file = File.read("web.yaml", content, composer=composer)
    (document,) = file.documents()
    assert written_at(file, document.at((0,))) == "nginx"


def test_lines_count_from_one() -> None:
    """A node's line is the one that an editor shows, in YAML and in JSON."""
    (yaml,) = documents("a.yaml", b"# c\na: 1\nb: 2\n")
    assert [line_of(yaml.at((number,))) for number in (0, 1)] == [2, 3]
    (text,) = documents("a.json", b'{\n "a": 1,\n "b":\n 2}\n')
    assert [line_of(text.at((number,))) for number in (0, 1)] == [2, 4]


@pytest.mark.parametrize("case", INVALID.values(), ids=INVALID.keys())
def test_an_invalid_file_says_where(case: tuple[bytes, int, int]) -> None:
    """The error names the file, and the line and the column, both from 1."""
    content, line, column = case
    with pytest.raises(InvalidManifest) as caught:
        documents("apps/web.yaml", content)
    assert (caught.value.path, caught.value.line, caught.value.column) == ("apps/web.yaml", line, column)
    assert str(caught.value).startswith(f"apps/web.yaml, line {line}, column {column}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("composer", COMPOSERS.values(), ids=COMPOSERS.keys())
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_file_that_is_nested_too_deeply_is_refused(bomb: bytes, composer: type[Composing]) -> None:
    """libyaml's composer would run out of stack and end the process."""
    with pytest.raises(InvalidManifest):
        documents("web.yaml", bomb, composer=composer)


@pytest.mark.parametrize("composer", COMPOSERS.values(), ids=COMPOSERS.keys())
def test_what_is_not_too_deep_is_read(composer: type[Composing]) -> None:
    """Up to the limit all parsers do their work, ruamel.yaml too."""
    for content in (
        b"[" * DEEPEST + b"]" * DEEPEST,
        b"- " * DEEPEST + b"a",
        b"\n".join(b" " * level + b"a:" for level in range(DEEPEST)),
        b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST,
        b"[&x a, &x b, " + b"[" * (DEEPEST - 1) + b"]" * DEEPEST,
    ):
        assert documents("web.yaml", content, composer=composer)


def test_many_brackets_side_by_side_are_read() -> None:
    """A file is refused for its depth, and not for what only looks deep."""
    content = b"a:\n" + b"  - [{b: c}, []]\n" * DEEPEST + b"# " + b"-" * 2 * DEEPEST + b"\n"
    assert documents("web.yaml", content)


@pytest.mark.parametrize("levels", [7, 30, 300])
def test_aliases_that_stand_for_too_much_are_refused(levels: int) -> None:
    """A bomb of aliases is refused before anybody follows them."""
    with pytest.raises(InvalidManifest, match="aliases stand for more than"):
        documents("web.yaml", laughs(levels))


def test_a_fair_number_of_aliases_is_read() -> None:
    """Aliases of aliases are fine as long as they stand for what fits in memory."""
    (document,) = documents("web.yaml", laughs(4))
    assert document.aliased


def test_an_anchor_may_be_defined_again() -> None:
    """YAML lets an alias mean the last anchor of its name, and so does Argo CD; PyYAML would refuse it."""
    content = "ü: &x nginx\nb: *x\nc: &x fluentd\nd: [*x, *x]\n---\ne: &x 1\n".encode()
    for composer in COMPOSERS.values():
        file = File.read("web.yaml", content, composer=composer)
        document, last = file.documents()
        first, again, other, both = (value for _, value in document.root.value)
        assert (again.value, other.value, both.value[0].value) == ("nginx", "fluentd", "fluentd")
        assert again is first
        assert both.value[0] is both.value[1] is other
        assert (document.aliased, last.aliased) == (True, False)
        assert written_at(file, other) == "&x fluentd"


def test_a_file_that_is_too_large_is_refused() -> None:
    """Argo CD would not read it either."""
    with pytest.raises(InvalidManifest, match="at most"):
        documents("web.yaml", b"#" * (LARGEST + 1))


@pytest.mark.parametrize(
    ("path", "content", "count"),
    [
        ("a.json", b'{"a": "\\ud83d\\ude00", "b": "\\/"}', 1),
        ("a.json", b'\xef\xbb\xbf{"' + b"k" * 2_000 + b'": 1}', 1),
        ("a.json", b'\n\t{\n\t"a":\t[1.5e3, true, null, -0]\r\n}\n\n', 1),
        ("a.yaml", b'{"a": 1}\n{"b": "\\ud83d\\ude00"}{"c": 3}', 3),
        ("a.yaml", b'{"a": 1}\n---\n{"b": 2}\n---\nc: 3\n', 3),
        ("a.yaml", b'{"a": 1,}\n', 1),
        ("a.yaml", b"{a: b}\n", 1),
        ("a.yaml", b" \n{a: [b]}\n---\nc: d\n", 2),
        ("a.yaml", b"", 0),
        ("a.yaml", b"# nothing\n", 0),
        ("a.yaml", b"---\n---\n", 2),
    ],
)
def test_json_and_yaml_are_told_apart(path: str, content: bytes, count: int) -> None:
    """A brace at the beginning may be JSON, one value or several, or YAML in flow style."""
    assert len(documents(path, content)) == count


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        (b"", 1, 1),
        (b"a: 1", 1, 1),
        (b'{"a": 1,}', 1, 9),
        (b'{"a": 01}', 1, 8),
        (b'{"a": "x\ny"}', 1, 9),
        (b'{"a":\n1 "b": 2}', 2, 3),
        (b'{"a" 1}', 1, 6),
        (b"{a: 1}", 1, 2),
        (b'{"a": 1} {"b": 2}', 1, 1),
        (b'{"a": [1, 2', 1, 12),
        (b'{"a": "\\q"}', 1, 8),
    ],
)
def test_a_json_file_is_nothing_but_json(content: bytes, line: int, column: int) -> None:
    """A file that is called .json holds one JSON value, or Argo CD reads nothing at all."""
    with pytest.raises(InvalidManifest) as caught:
        documents("web.json", content)
    assert (caught.value.line, caught.value.column) == (line, column)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=100)
@given(value=values, indent=st.sampled_from([None, 0, 2, "\t"]), ascii_only=st.booleans())
def test_any_json_becomes_the_tree_of_its_values(
    value: object, indent: int | str | None, ascii_only: bool
) -> None:
    """Whatever the standard library writes is composed to nodes that stand where their text is."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    file = File.read("a.json", text.encode())
    (document,) = file.documents()
    assert read_back(file, document.root) == value


def documents(path: str, content: bytes, *, composer: type[Composing] = FASTEST) -> list[Document]:
    """All documents of a file."""
    return list(File.read(path, content, composer=composer).documents())


def written_at(file: File, node: Node) -> str:
    """What stands in the file's bytes where the node is said to be."""
    span = file.span(node.start_mark.index, node.end_mark.index)
    return file.content[span.start : span.end].decode()


def read_back(file: File, node: Node) -> object:
    """A value, each scalar of it read from the bytes of its span."""
    if isinstance(node, MappingNode):
        return {read_back(file, key): read_back(file, value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [read_back(file, item) for item in node.value]
    return json.loads(written_at(file, node))


def nodes(node: Node) -> list[Node]:
    """All nodes of a document."""
    if isinstance(node, MappingNode):
        return [node, *(n for pair in node.value for part in pair for n in nodes(part))]
    if isinstance(node, SequenceNode):
        return [node, *(n for item in node.value for n in nodes(item))]
    return [node]
