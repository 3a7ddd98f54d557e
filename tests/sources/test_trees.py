"""The names of a tree, with files that are new."""

from gitops_backup.sources.trees import Tree, with_files

BEFORE = Tree({"a-b/x": "100644", "a/y": "100644", "c": "120000"})


def test_new_files_stand_where_they_would_be_listed() -> None:
    """In Argo CD's order, as ordinary files; the tree itself stays as it was."""
    after = with_files(BEFORE, ["a/x", "c", "d"])
    assert [entry.path for entry in after.under("", recurse=True)] == ["a/x", "a/y", "a-b/x", "c", "d"]
    assert [entry.mode for entry in after.under("a", recurse=False)] == ["100644", "100644"]
    assert after.link_towards("c") == "c"
    assert [entry.path for entry in BEFORE.under("", recurse=True)] == ["a/y", "a-b/x", "c"]


def test_a_tree_without_new_files_is_the_same() -> None:
    """So that nobody looks for differences where there are none."""
    assert with_files(BEFORE, ["a/y", "c"]) is BEFORE


def test_folders_are_told_apart_by_what_is_new_in_them() -> None:
    """Those that have nothing new are as they were."""
    tree = Tree({"a-b/x": "100644", "a/y": "100644"})
    before = {folder: tree.fingerprint(folder, recurse=True) for folder in ("", "a", "a-b")}
    after = with_files(tree, ["a/x"])
    whole = Tree({"a-b/x": "100644", "a/y": "100644", "a/x": "100644"})
    assert {folder: after.fingerprint(folder, recurse=True) for folder in before} == {
        folder: whole.fingerprint(folder, recurse=True) for folder in before
    }
    assert after.fingerprint("a", recurse=True) != before["a"]
    assert after.fingerprint("a-b", recurse=True) == before["a-b"]
