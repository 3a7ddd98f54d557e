"""Keys that are written twice, and merge keys, as Argo CD's YAML library reads them."""

import json
from typing import Any

import pytest
from yaml.nodes import MappingNode, Node, SequenceNode

from gitops_backup.sources.documents import Document, File
from gitops_backup.sources.mappings import entries, find, items, text

# what sigs.k8s.io/yaml 1.6.0 makes of each
READ = {
    "a key twice": ("i: 1\ni: 2\n", {"i": "2"}),
    "a merge before": ("<<: {i: 9, j: 8}\ni: 1\n", {"i": "1", "j": "8"}),
    "a merge after": ("i: 1\n<<: {i: 9}\n", {"i": "9"}),
    "several in one": ("<<: [{i: 1}, {i: 2, j: 2}]\n", {"i": "1", "j": "2"}),
    "several keys": ("<<: {i: 1}\n<<: {i: 2}\n", {"i": "2"}),
    "not deep": ("<<: {i: {a: 1}}\ni: {b: 2}\n", {"i": {"b": "2"}}),
    "merged twice": ("<<: {<<: {i: 1, j: 1}, j: 2}\n", {"i": "1", "j": "2"}),
    "a quoted key": ('"<<": {i: 1}\n', {"<<": {"i": "1"}}),
    "of no mapping": ("<<: x\ni: 1\n", {"i": "1"}),
}


@pytest.mark.parametrize("case", READ.values(), ids=READ.keys())
def test_the_entry_that_holds_is_found(case: tuple[str, dict[str, Any]]) -> None:
    """Looking up one key, and listing all of them, agree with Argo CD, and say the way to the value."""
    written, expected = case
    document = read(written.encode())
    root = document.root
    assert isinstance(root, MappingNode)
    assert plain(root) == expected
    for key, value in expected.items():
        found = find(root, key)
        assert found is not None
        assert plain(found.node) == value
        assert document.at(found.steps) is found.node
    for _, held in entries(root):
        assert document.at(held.steps) is held.node


def test_a_way_leads_through_anchors() -> None:
    """A value behind an alias has a way from the alias's place, too."""
    document = read(b"x: &x {i: [1, &y 2]}\nb:\n  <<: *x\nc: [*y]\n")
    root = document.root
    ways = [found.steps for found in items(root, "b", "i")]
    assert [document.at(way).value for way in ways] == ["1", "2"]
    assert [document.at(found.steps).value for found in items(root, "c")] == ["2"]


def test_what_is_not_there_is_none() -> None:
    """No key, no mapping, or no scalar is no error."""
    root = read(b"a: {b: 1}\nc: [1]\n? [d]\n: e\n").root
    assert text(root, "a", "b") == "1"
    assert text(root, "a") is None
    assert find(root, "a", "b", "x") is None
    assert find(root, "d") is None
    assert list(items(root, "a")) == []
    assert json.dumps([found.node.value for found in items(root, "c")]) == '["1"]'


def plain(node: Node) -> object:
    """A node as Argo CD reads it, all scalars as text."""
    if isinstance(node, MappingNode):
        return {key.value: plain(found.node) for key, found in entries(node)}
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.value]
    return node.value


def read(content: bytes) -> Document:
    """The only document of a file."""
    (document,) = File.read("a.yaml", content).documents()
    return document
