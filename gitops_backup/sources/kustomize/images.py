"""Editing the `images` of a kustomization file: a new name in an entry, or a new entry.

Entries apply in order, those of the deprecated `imageTags` after all others, so a new entry goes to the end.
What is added has the style of what is there: the indentation of lists, flow style, JSON's quotes, line ends,
a missing final newline. Nothing else changes, which is seen by reading the edited file: it must say what it
said, and what was added.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.comments import behind_comments
from gitops_backup.sources.content import Value, reads_as_text
from gitops_backup.sources.documents import InvalidManifest, line_of
from gitops_backup.sources.edits import OverlappingEdits, Splice, apply
from gitops_backup.sources.kustomize.kustomizations import Kustomization, folded, value_of
from gitops_backup.sources.scalars import rewritten


class CannotEdit(GitopsBackupError):
    """There is no place for the edit that would leave the rest of the file as it is."""


@dataclass(frozen=True, slots=True)
class Rename:
    """An edit: the entry with this number, counted from 0, is to have the new name."""

    number: int
    new_name: str


@dataclass(frozen=True, slots=True)
class Addition:
    """An edit: an entry that gives images of one name a new one."""

    name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Edited:
    """The edited file, and the line of each edit in it, from 1."""

    content: bytes
    lines: Mapping[Rename | Addition, int]


def entries_of(kustomization: Kustomization) -> list[Node]:
    """The nodes of the entries of `images`, and of `imageTags`, in the order in which they apply."""
    return [item for key in _KEYS for item in _items(kustomization.nodes.get(key))]


def edit_images(kustomization: Kustomization, edits: Sequence[Rename | Addition]) -> Edited:
    """The file with these edits made.

    Raises `CannotEdit`, and `InvalidManifest` where an entry that is there is none.
    """
    renames = {edit.number: edit.new_name for edit in edits if isinstance(edit, Rename)}
    additions = [edit for edit in edits if isinstance(edit, Addition)]
    expected = _expected(kustomization, renames, additions)
    nodes = entries_of(kustomization)
    style = _Style(kustomization)
    splices = [style.renamed(nodes[number], new_name) for number, new_name in renames.items()]
    for added in style.added(additions) if additions else [[]]:
        try:
            content = apply(kustomization.file.content, [*splices, *added])
            edited = Kustomization.read(kustomization.path, content)
            if _says(edited, kustomization, expected):
                return Edited(content, dict(_lines(edited, edits)))
        except (InvalidManifest, OverlappingEdits):
            continue
    raise CannotEdit(
        f"{one_line(kustomization.path)} has no place for the entry that leaves the rest as it is"
    )


def _expected(
    kustomization: Kustomization, renames: Mapping[int, str], additions: Sequence[Addition]
) -> list[Value]:
    entries = [_folded_value(node, kustomization.path) for node in entries_of(kustomization)]
    for number, new_name in renames.items():
        entries[number] = {**entries[number], "newname": new_name}
    return [*entries, *({"name": each.name, "newname": each.new_name} for each in additions)]


def _says(edited: Kustomization, before: Kustomization, entries: Sequence[Value]) -> bool:
    """Whether the file says what it said, and of images what is expected, in all its documents."""
    said, says = before.fields(), edited.fields()
    others = {key: value for key, value in said.items() if key not in _KEYS}
    if {key: value for key, value in says.items() if key not in _KEYS} != others:
        return False
    if [_folded_value(node, edited.path) for node in entries_of(edited)] != entries:
        return False
    old, new = list(before.file.documents())[1:], list(edited.file.documents())[1:]
    return [value_of(each.root, before.path) for each in old] == [
        value_of(each.root, edited.path) for each in new
    ]


def _lines(
    edited: Kustomization, edits: Sequence[Rename | Addition]
) -> Iterator[tuple[Rename | Addition, int]]:
    nodes = entries_of(edited)
    additions = [edit for edit in edits if isinstance(edit, Addition)]
    for edit in edits:
        number = (
            edit.number if isinstance(edit, Rename) else len(nodes) - len(additions) + additions.index(edit)
        )
        yield edit, line_of(folded(nodes[number], edited.path)["newname"])


def _folded_value(node: Node, path: str) -> dict[str, Value]:
    return {key: value_of(value, path) for key, value in folded(node, path).items()}


class _Style:
    """Where to write in a kustomization file, and how."""

    def __init__(self, kustomization: Kustomization) -> None:
        self._kustomization = kustomization
        self._file = kustomization.file
        self._root = kustomization.root
        self._text = kustomization.file.text
        self._newline = "\r\n" if "\r\n" in self._text else "\n"

    def renamed(self, entry: Node, new_name: str) -> Splice:
        """An entry with a new name, in place of the one that it has or after the name that it is for."""
        nodes = folded(entry, self._kustomization.path)
        there = nodes.get("newname")
        if isinstance(there, ScalarNode) and (there.value or there.style):
            return rewritten(self._file, there, new_name)
        key = self._key(entry, "name")
        if key is None or there is not None or not isinstance(entry, MappingNode):
            raise CannotEdit(f"{self._place(entry)} has no place for a new name")
        end = nodes["name"].end_mark.index
        if entry.flow_style:
            return self._splice(end, self._separator(key) + self._pair("newName", new_name, like=key))
        return self._line_after(end, " " * _column(self._text, key) + f"newName: {_scalar(new_name)}")

    def added(self, additions: Sequence[Addition]) -> Iterator[list[Splice]]:
        """Ways to add entries, the best first."""
        nodes = self._kustomization.nodes
        there = next((nodes[key] for key in reversed(_KEYS) if key in nodes and _items(nodes[key])), None)
        there = there or next((nodes[key] for key in _KEYS if key in nodes), None)
        if isinstance(there, SequenceNode) and there.flow_style:
            yield [self._into_flow_sequence(there, additions)]
        elif isinstance(there, SequenceNode):
            yield [self._after_last_item(there, additions)]
        elif isinstance(there, ScalarNode) and there.value:
            span = self._file.span(there.start_mark.index, there.end_mark.index)
            yield [Splice(span, self._flow_list(additions).encode())]
        elif there is not None:
            yield from self._below_empty_key(additions)
        elif self._root.flow_style:
            yield [self._into_flow_root(additions)]
        else:
            yield [self._at_the_end(additions)]
            yield [self._before_last_key(additions)]

    def _into_flow_sequence(self, sequence: SequenceNode, additions: Sequence[Addition]) -> Splice:
        like = self._key(sequence.value[0], "name") if sequence.value else None
        items = [self._flow_item(each, like=like or self._root.value[0][0]) for each in additions]
        if not sequence.value:
            raw = self._file.raw(sequence)
            return self._splice(sequence.start_mark.index + raw.index("[") + 1, ", ".join(items))
        separator = self._separator(sequence.value[-1])
        return self._splice(sequence.value[-1].end_mark.index, "".join(separator + item for item in items))

    def _after_last_item(self, sequence: SequenceNode, additions: Sequence[Addition]) -> Splice:
        column = _column(self._text, sequence)
        last = sequence.value[-1]
        step = (
            max(2, _column(self._text, last) - column)
            if isinstance(last, CollectionNode) and not last.flow_style
            else 2
        )
        items = self._block_items(additions, column=column, step=step)
        # on the column of a list that is not indented, there may be a comment of the next key
        return self._line_after(_end(last), items, comments=column or 1)

    def _below_empty_key(self, additions: Sequence[Addition]) -> Iterator[list[Splice]]:
        for key, value in self._root.value:
            if str(key.value).lower() in _KEYS and isinstance(value, ScalarNode):
                column = _column(self._text, key) + self._indentation
                yield [self._line_after(key.end_mark.index, self._block_items(additions, column=column))]

    def _into_flow_root(self, additions: Sequence[Addition]) -> Splice:
        key, value = self._root.value[-1]
        pair = self._separator(key) + self._quoted("images", like=key) + ": "
        return self._splice(value.end_mark.index, pair + self._flow_list(additions, like=key))

    def _at_the_end(self, additions: Sequence[Addition]) -> Splice:
        at = self._root.end_mark.index
        lines = self._block_key(additions)
        if at and self._text[at - 1] != "\n":
            return self._splice(at, self._newline + lines)
        return self._splice(at, lines + self._newline)

    def _before_last_key(self, additions: Sequence[Addition]) -> Splice:
        start = self._text.rfind("\n", 0, self._root.value[-1][0].start_mark.index) + 1
        return self._splice(start, self._block_key(additions) + self._newline)

    def _block_key(self, additions: Sequence[Addition]) -> str:
        column = _column(self._text, self._root)
        items = self._block_items(additions, column=column + self._indentation)
        return f"{' ' * column}images:{self._newline}{items}"

    def _block_items(self, additions: Sequence[Addition], *, column: int, step: int = 2) -> str:
        lines = []
        for each in additions:
            lines.append(f"{' ' * column}-{' ' * (step - 1)}name: {_scalar(each.name)}")
            lines.append(f"{' ' * (column + step)}newName: {_scalar(each.new_name)}")
        return self._newline.join(lines)

    def _flow_list(self, additions: Sequence[Addition], *, like: Node | None = None) -> str:
        items = (self._flow_item(each, like=like or self._root.value[0][0]) for each in additions)
        return f"[{', '.join(items)}]"

    def _flow_item(self, addition: Addition, *, like: Node) -> str:
        name = self._pair("name", addition.name, like=like)
        return f"{{{name}, {self._pair('newName', addition.new_name, like=like)}}}"

    def _pair(self, key: str, text: str, *, like: Node) -> str:
        value = json.dumps(text) if _is_quoted(like) or ":" in text else _scalar(text)
        return f"{self._quoted(key, like=like)}: {value}"

    def _quoted(self, key: str, *, like: Node) -> str:
        return f'"{key}"' if _is_quoted(like) else key

    @property
    def _indentation(self) -> int:
        """By how much lists are indented under their key."""
        for key, value in self._root.value:
            if isinstance(value, SequenceNode) and not value.flow_style:
                return max(0, _column(self._text, value) - _column(self._text, key))
        return 0

    def _separator(self, node: Node) -> str:
        """What stands between a part of a collection in flow style and the next one, as before this part."""
        start = node.start_mark.index
        line = self._text.rfind("\n", 0, start) + 1
        before = self._text[line:start]
        return f",{self._newline}{before}" if line and not before.strip() else ", "

    def _line_after(self, index: int, lines: str, *, comments: int | None = None) -> Splice:
        """Lines after the one in which something ends, and after `comments` from this column on."""
        if not index or self._text[index - 1] != "\n":
            end = self._text.find("\n", index)
            index = len(self._text) if end < 0 else end + 1
        if comments is not None:
            index = behind_comments(self._text, index, column=comments)
        if self._text[index - 1] == "\n":
            return self._splice(index, lines + self._newline)
        return self._splice(index, self._newline + lines)

    def _splice(self, index: int, text: str) -> Splice:
        return Splice(self._file.span(index, index), text.encode())

    def _key(self, mapping: Node, name: str) -> Node | None:
        """The key as the mapping itself writes it."""
        pairs = mapping.value if isinstance(mapping, MappingNode) else ()
        return next((key for key, _ in pairs if str(key.value).lower() == name), None)

    def _place(self, node: Node) -> str:
        return f"{one_line(self._kustomization.path)}, line {line_of(node)},"


def _items(node: Node | None) -> list[Node]:
    return list(node.value) if isinstance(node, SequenceNode) else []


def _end(node: Node) -> int:
    """Where the last thing of a node ends; the marks of collections in block style are behind the blanks."""
    while isinstance(node, CollectionNode) and not node.flow_style and node.value:
        if isinstance(node, MappingNode):
            key, value = node.value[-1]
            # an alias is where its anchor is
            node = value if value.start_mark.index >= key.end_mark.index else key
        else:
            node = node.value[-1]
    return int(node.end_mark.index)


def _is_quoted(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style == '"'


def _column(text: str, node: Node) -> int:
    start = int(node.start_mark.index)
    return start - text.rfind("\n", 0, start) - 1


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and reads_as_text(text) else json.dumps(text)


_KEYS = ("images", "imagetags")
_PLAIN = re.compile(r"[A-Za-z0-9_](?:[\w./@-]|:(?=\S))*", re.ASCII)
