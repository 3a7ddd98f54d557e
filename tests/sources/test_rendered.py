"""Renderings: what is in them, and where two differ."""

import pytest

from gitops_backup.sources.content import Bare
from gitops_backup.sources.documents import DEEPEST
from gitops_backup.sources.rendered import (
    MISSING,
    Difference,
    InvalidRendering,
    Rendered,
    RenderedImage,
    described,
    differences,
    images_of,
    read_rendering,
    unexplained,
)
from gitops_backup.sources.replacements import ObjectId
from tests.sources.samples import WEB, deployment

CONFIG = ObjectId("", "ConfigMap", "team", "c")
IMAGE = ("spec", "template", "spec", "containers", 0, "image")


def read(text: str) -> tuple[Rendered, ...]:
    """A rendering for the namespace `team`."""
    return read_rendering(text.encode(), namespace="team")


def config(data: str, *, name: str = "c") -> str:
    """A ConfigMap, as one document."""
    return f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  {data}\n"


def test_objects_are_read_in_their_order() -> None:
    """Documents, empty ones, and the items of lists; a namespace that is not named is the Application's."""
    listed = "kind: List\napiVersion: v1\nitems:\n- {kind: Pod, apiVersion: v1, metadata: {name: p}}\n"
    text = f"--- # Source: a/b.yaml\n{deployment('image: x')}---\n# nothing\n---\nnull\n---\n{listed}---"
    assert [each.identity for each in read(text)] == [WEB, ObjectId("", "Pod", "team", "p")]
    assert read_rendering(b"kind: A", namespace="")[0].identity == ObjectId("", "A", "default", "")
    assert read("") == ()


def test_scalars_that_are_no_text_stay_as_they_are_written() -> None:
    """A number is not the text that looks like it; tags are seen; merge keys are merged."""
    text = (
        'a: 1\nb: "1"\nc: 01\nd: !!str 1\ne: !!int "1"\nf: yes\ng: ~\nh: x y\ni: &i {j: k}\nl: {<<: *i}\nm:'
    )
    assert read(text)[0].content == {
        "a": Bare("1"),
        "b": "1",
        "c": Bare("01"),
        "d": "1",
        "e": Bare("tag:yaml.org,2002:int 1"),
        "f": Bare("yes"),
        "g": Bare("~"),
        "h": "x y",
        "i": {"j": "k"},
        "l": {"j": "k"},
        "m": Bare(""),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "document 1 of the rendering, line 2, column 1: "),
        ("---\n- a", "document 2 of the rendering is no object"),
        ("just words", "document 1 of the rendering is no object"),
        ("items: [a]", "document 1 of the rendering lists what is no object"),
        ("? [a]\n: b", "line 1 of document 1 of the rendering has a key that is no text"),
        ("a: " + "[" * (DEEPEST + 1), "document 1 of the rendering, line 1, column 203: values are nested"),
        (
            "a0: &a0 x\n" + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n},' * 9}]\n" for n in range(9)),
            "document 1 of the rendering, line 1, column 1: aliases stand for more than",
        ),
    ],
)
def test_what_is_no_rendering_is_refused(text: str, message: str) -> None:
    """The message names the document."""
    with pytest.raises(InvalidRendering) as refused:
        read(text)
    assert refused.value.message.startswith(message)


def test_images_of_all_kinds_with_pod_templates_are_found() -> None:
    """Each has its container, its text and the way to it; other people's kinds, and odd ones, have none."""
    job = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: j, namespace: n}\n"
    job += "spec: {jobTemplate: {spec: {template: {spec: {\n"
    job += "  containers: [{name: a}, x, {name: b, image: b:1}], initContainers: [{image: c}]}}}}}"
    others = (
        "apiVersion: acme.io/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{image: x}]}}}",
        "apiVersion: apps/v1\nkind: Deployment\nspec: {template: []}",
        "apiVersion: v1\nkind: Pod\nspec: {containers: {image: x}, initContainers: [{image: 12}]}",
        "apiVersion: v1\nkind: ConfigMap\nspec: {containers: [{image: x}]}",
    )
    text = "\n---\n".join([deployment("image: nginx:1.25"), job, *others])
    where = ("spec", "jobTemplate", "spec", "template", "spec")
    cron = ObjectId("batch", "CronJob", "n", "j")
    assert images_of(read(text)) == (
        RenderedImage(WEB, "web", False, "nginx:1.25", IMAGE),
        RenderedImage(cron, "", True, "c", (*where, "initContainers", 0, "image")),
        RenderedImage(cron, "b", False, "b:1", (*where, "containers", 2, "image")),
    )


DIFFERENT = {
    "nothing": ("a: b", "a: b", []),
    "quotes": ("a: b", "a: 'b'", []),
    "a text": ("a: b", "a: c", [(("data", "a"), "b", "c")]),
    "a type": ("a: 1", "a: '1'", [(("data", "a"), Bare("1"), "1")]),
    "a kind": ("a: [b]", "a: {b: c}", [(("data", "a"), ["b"], {"b": "c"})]),
    "a key more": ("a: b", "{a: b, c: d}", [(("data", "c"), MISSING, "d")]),
    "an item less": ("a: [b, c, d]", "a: [b, c]", [(("data", "a", 2), "d", MISSING)]),
    "two": (
        "{a: [b, c], d: e}",
        "{d: f, a: [b, x]}",
        [(("data", "a", 1), "c", "x"), (("data", "d"), "e", "f")],
    ),
}


@pytest.mark.parametrize("case", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_differences_are_found_leaf_by_leaf(case: tuple[str, str, list[tuple[object, ...]]]) -> None:
    """Each is named with its way; how a value is written makes none."""
    before, after, expected = case
    found = differences(read(config(before)), read(config(after)))
    assert [(each.steps, each.before, each.after) for each in found] == expected
    assert {each.object for each in found} <= {CONFIG}


def test_objects_are_paired_by_what_they_are() -> None:
    """Their order is no difference; one more or less is, also of those that stand there twice."""
    a, b, twice = config("x: a"), config("x: b", name="d"), config("x: c")
    assert differences(read(a + b), read(b + a)) == ()
    assert differences(read(a + twice), read(a + twice)) == ()
    secret = b.replace("ConfigMap", "Secret")
    removed, added = read(a)[0].content, read(secret)[0].content
    assert differences(read(a), read(secret)) == (
        Difference(CONFIG, (), removed, MISSING),
        Difference(ObjectId("", "Secret", "team", "d"), (), MISSING, added),
    )
    assert differences(read(a + twice), read(a))[0].before == read(twice)[0].content


def test_objects_of_other_names_are_paired_within_their_kind() -> None:
    """What a template makes a name up for is compared with what it made up another for, in their order."""
    before = read(config("x: a", name="r1") + config("x: s") + config("x: b", name="r2"))
    after = read(config("x: a", name="r3") + config("x: c", name="r4") + config("x: s"))
    assert [
        (each.object.name, each.steps, each.before, each.after) for each in differences(before, after)
    ] == [
        ("r1", ("metadata", "name"), "r1", "r3"),
        ("r2", ("metadata", "name"), "r2", "r4"),
        ("r2", ("data", "x"), "b", "c"),
    ]


def test_only_what_is_allowed_is_explained() -> None:
    """Exactly the old text becomes exactly the new one, wherever it stands; the others are given."""
    old = read(config("{a: nginx, b: [nginx, x]}"))
    allowed = {"nginx": "bak/nginx", "x": "bak/x"}
    assert unexplained((), allowed) == []
    explained = differences(old, read(config("{a: bak/nginx, b: [nginx, bak/x]}")))
    assert len(explained) == 2
    assert unexplained(explained, allowed) == []
    for other in ("bak/nginx:1", "x", "'12'", "12", "[nginx]", "~"):
        found = differences(old, read(config(f"{{a: bak/nginx, b: [{other}, x]}}")))
        assert unexplained(found, allowed) == [found[1]]
    gone = differences(old, read(config("{b: [nginx, x]}")))
    assert unexplained(gone, allowed) == [gone[0]]
    assert unexplained(differences(read(config("a: 1")), read(config("a: 2"))), {"1": "2"}) != []


def test_a_difference_says_where_and_what() -> None:
    """One line for people, of bounded length and without control characters."""
    old, new = read(config('{a: "x\\ny", b: [1, [2]]}')), read(config(f"{{a: {'z' * 500}, b: ['', {{}}]}}"))
    lines = [str(each) for each in differences(old, new)]
    assert lines == [
        f"ConfigMap team/c, data.a: 'x y' would become '{'z' * 119}…'",
        "ConfigMap team/c, data.b[0]: 1 would become ''",
        "ConfigMap team/c, data.b[1]: a list would become a mapping",
    ]
    assert str(differences(old, ())[0]) == "ConfigMap team/c: a mapping would become nothing"
    assert (
        str(differences(read(config("a: ")), old)[0]) == "ConfigMap team/c, data.a: null would become 'x y'"
    )
    assert described(IMAGE) == "spec.template.spec.containers[0].image"
