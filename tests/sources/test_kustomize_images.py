"""Edits of the images of a kustomization file, in the style that it has; with nothing rendered."""

import pytest

from gitops_backup.sources.kustomize.images import Addition, CannotEdit, Rename, edit_images
from gitops_backup.sources.kustomize.kustomizations import Kustomization

ADD = Addition("nginx", "bak.example/m/nginx")
SET = Rename(0, "bak.example/m/nginx")
BLOCK = "images:\n- name: nginx\n  newName: bak.example/m/nginx\n"
FLOW = "{name: nginx, newName: bak.example/m/nginx}"
JSON = '{"name": "nginx", "newName": "bak.example/m/nginx"}'
ADDED = {
    "to nothing else": ("namespace: x\n", f"namespace: x\n{BLOCK}"),
    "without a final newline": ("namespace: x", f"namespace: x\n{BLOCK[:-1]}"),
    "after carriage returns": ("a: b\r\nc: d\r\n", "a: b\r\nc: d\r\n" + BLOCK.replace("\n", "\r\n")),
    "behind a byte order mark": ("\ufeffa: é\n", f"\ufeffa: é\n{BLOCK}"),
    "to an indented document": (" a: b\n", " a: b\n " + BLOCK[:-1].replace("\n", "\n ") + "\n"),
    "as lists are indented": (
        "a:\n\n  # x\n  - b\n",
        "a:\n\n  # x\n  - b\nimages:\n  - name: nginx\n    newName: bak.example/m/nginx\n",
    ),
    "behind the comments of the last entry": (
        "images:\n- name: a\n  # digest: b\n# patches\npatches: []\n",
        f"images:\n- name: a\n  # digest: b\n{BLOCK[8:]}# patches\npatches: []\n",
    ),
    "behind entries that are comments": (
        "images:\n  - name: a\n  # - name: b\nx: y\n",
        "images:\n  - name: a\n  # - name: b\n  - name: nginx\n    newName: bak.example/m/nginx\nx: y\n",
    ),
    "behind a comment without a final newline": (
        "images:\n- name: a\n  # b",
        f"images:\n- name: a\n  # b\n{BLOCK[8:-1]}",
    ),
    "below an empty key": ("images:\na: b\n", f"{BLOCK}a: b\n"),
    "below an empty key at the end": ("a: b\nimages:", f"a: b\n{BLOCK[:-1]}"),
    "below an empty key with blanks": ("images:  # x\n\n\na: b\n", f"images:  # x\n{BLOCK[8:]}\n\na: b\n"),
    "in place of null": ("images: ~\n", f"images: [{FLOW}]\n"),
    "in place of a null in words": ("images: null # x\n", f"images: [{FLOW}] # x\n"),
    "into empty brackets": ("images: [ ]\n", f"images: [{FLOW} ]\n"),
    "into brackets": ("images: [{name: a}]\n", f"images: [{{name: a}}, {FLOW}]\n"),
    "into brackets with a comma": ("images: [{name: a},]\n", f"images: [{{name: a}}, {FLOW},]\n"),
    "into brackets on lines": (
        "images: [\n  {name: a} # x\n]\n",
        f"images: [\n  {{name: a}},\n  {FLOW} # x\n]\n",
    ),
    "into braces": ("{a: b}\n", f"{{a: b, images: [{FLOW}]}}\n"),
    "into JSON": ('{"a": "b"}', f'{{"a": "b", "images": [{JSON}]}}'),
    "into JSON on lines": ('{\n\t"a": "b"\n}\n', f'{{\n\t"a": "b",\n\t"images": [{JSON}]\n}}\n'),
    "into a list of JSON": ('{"images": []}', f'{{"images": [{JSON}]}}'),
    "after a text in lines": ("a: |\n  b\n\n", f"a: |\n  b\n\n{BLOCK}"),
    "before a text that has no end": ("b: c\na: |+\n  b", f"b: c\n{BLOCK}a: |+\n  b"),
    "after an entry with a text in lines": (
        "images:\n- name: |-\n    a\n\nb: c\n",
        f"images:\n- name: |-\n    a\n\n{BLOCK[8:]}b: c\n",
    ),
    "to the last list": (
        "images:\n- name: a\nimageTags:\n- name: b\nc: d\n",
        f"images:\n- name: a\nimageTags:\n- name: b\n{BLOCK[8:]}c: d\n",
    ),
    "to the list that has some": (
        "images:\n- name: a\nimageTags:\n",
        f"images:\n- name: a\n{BLOCK[8:]}imageTags:\n",
    ),
    "before the end of the document": ("a: b\n# c\n---\nd: e\n", f"a: b\n# c\n{BLOCK}---\nd: e\n"),
    "after an alias": ("a: &a {b: c}\nd: *a\n", f"a: &a {{b: c}}\nd: *a\n{BLOCK}"),
    "in another letter case": ("IMAGES:\n- NAME: a\n", f"IMAGES:\n- NAME: a\n{BLOCK[8:]}"),
}
SET_IN = {
    "a block": ("images:\n- name: a\n", "images:\n- name: a\n  newName: bak.example/m/nginx\n"),
    "a block with a comment": (
        "images:\n  -  name: a # b\n     newTag: c\n",
        "images:\n  -  name: a # b\n     newName: bak.example/m/nginx\n     newTag: c\n",
    ),
    "braces": (
        "images: [{name: a, newTag: b}]\n",
        "images: [{name: a, newName: bak.example/m/nginx, newTag: b}]\n",
    ),
    "JSON": ('{"images":[{"name":"a"}]}', '{"images":[{"name":"a", "newName": "bak.example/m/nginx"}]}'),
    "JSON on lines": (
        '{"images": [\n {\n  "name": "a",\n  "newTag": "1"\n }\n]}\n',
        '{"images": [\n {\n  "name": "a",\n  "newName": "bak.example/m/nginx",\n  "newTag": "1"\n }\n]}\n',
    ),
    "quotes": (
        'images: [{name: a, newName: "b"}]\n',
        'images: [{name: a, newName: "bak.example/m/nginx"}]\n',
    ),
    "a block of text": (
        "images:\n- name: a\n  newName: >-\n    b\n",
        "images:\n- name: a\n  newName: >-\n    bak.example/m/nginx\n",
    ),
    "empty quotes": (
        "images:\n- newName: ''\n  name: a\n",
        "images:\n- newName: 'bak.example/m/nginx'\n  name: a\n",
    ),
    "the older list": ("imageTags:\n- name: a\n", "imageTags:\n- name: a\n  newName: bak.example/m/nginx\n"),
    "another letter case": ("images:\n- NEWNAME: a\n", "images:\n- NEWNAME: bak.example/m/nginx\n"),
}


@pytest.mark.parametrize("case", ADDED.values(), ids=ADDED.keys())
def test_an_entry_is_added(case: tuple[str, str]) -> None:
    """It is written as what is there, and nothing else changes."""
    before, after = case
    edited = edit_images(read(before), [ADD])
    assert edited.content.decode() == after
    assert "newName" in after.split("\n")[edited.lines[ADD] - 1]


@pytest.mark.parametrize("case", SET_IN.values(), ids=SET_IN.keys())
def test_a_name_is_set(case: tuple[str, str]) -> None:
    """In the place of another one, or after the name of the entry."""
    before, after = case
    edited = edit_images(read(before), [SET])
    assert edited.content.decode() == after
    assert "newname" in after.split("\n")[edited.lines[SET] - 1].lower()


def test_edits_are_made_together() -> None:
    """Names in entries that are there, and new entries after all of them, in the order that is asked for."""
    edits: list[Rename | Addition] = [
        Rename(1, "y/b"),
        Rename(0, "y/a"),
        Addition("d", "y/d"),
        Addition("c:5/c", "y/c"),
    ]
    edited = edit_images(read("images:\n- name: a\n- name: b\n  newName: x\n"), edits)
    assert edited.content.decode() == (
        "images:\n- name: a\n  newName: y/a\n- name: b\n  newName: y/b\n"
        "- name: d\n  newName: y/d\n- name: c:5/c\n  newName: y/c\n"
    )
    assert [edited.lines[edit] for edit in edits] == [5, 3, 7, 9]


def test_texts_that_look_like_others_are_quoted() -> None:
    """A name may look like a number, or like a part of a collection."""
    edits = [Addition("1.5", "[::1]:5/a")]
    block = edit_images(read("a: b\n"), edits).content.decode()
    assert block == 'a: b\nimages:\n- name: "1.5"\n  newName: "[::1]:5/a"\n'
    flow = edit_images(read("images: []\n"), [Addition("x:5/a", "yes")]).content.decode()
    assert flow == 'images: [{name: "x:5/a", newName: "yes"}]\n'


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("images: &a\n- name: b\nimageTags: *a\n", ADD),
        ("images:\n- &a {name: b}\n- *a\n", SET),
        ("images:\n- &a {name: b}\n- <<: *a\n", Rename(1, "x")),
        ("images:\n- newTag: a\n", SET),
        ("images:\n- newName:\n  name: a\n", SET),
        ("images:\n- newName: [a]\n  name: a\n", SET),
        ("images: {}\n", ADD),
        ("images: &a []\nb: *a\n", ADD),
    ],
)
def test_what_has_no_place_is_refused(text: str, edit: Rename | Addition) -> None:
    """What is shared, or is no list of entries, is not edited."""
    with pytest.raises(CannotEdit, match=r"^k(, line [0-9]+,)? has no place"):
        edit_images(read(text), [edit])


def read(text: str) -> Kustomization:
    """A kustomization file."""
    return Kustomization.read("k", text.encode())
