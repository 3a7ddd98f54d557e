"""Differences of renderings, as people are shown them."""

from gitops_backup.sources.rendered import differences, read_rendering
from gitops_backup.sources.rendered_diff import LONGEST_DIFF, rendered_diff


def diff(before: str, after: str) -> str:
    """What is shown of two renderings."""
    old, new = (read_rendering(text.encode(), namespace="shop") for text in (before, after))
    return rendered_diff(differences(old, new))


def config(data: str, *, kind: str = "ConfigMap", name: str = "c") -> str:
    """An object with data, as one document."""
    return f"---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}}}\ndata:\n{data}"


def test_each_value_stands_under_its_place() -> None:
    """Objects have a heading each; what is new or gone has one side; what stays the same is not shown."""
    before = config("  a: x\n  b: same\n  c: [1, two]\n") + config("  a: x\n", name="d")
    after = config("  a: y\n  b: same\n  c: [2, two, {}]\n") + config("  b: ''\n", name="d")
    assert diff(before, after) == (
        "--- ConfigMap shop/c\n"
        "+++ ConfigMap shop/c\n"
        "@@ data.a @@\n"
        "-x\n"
        "+y\n"
        "@@ data.c[0] @@\n"
        "-1\n"
        "+2\n"
        "@@ data.c[2] @@\n"
        "+a mapping\n"
        "--- ConfigMap shop/d\n"
        "+++ ConfigMap shop/d\n"
        "@@ data.a @@\n"
        "-x\n"
        "@@ data.b @@\n"
        "+\n"
    )
    assert diff(config("  a: x\n"), "") == (
        "--- ConfigMap shop/c\n+++ ConfigMap shop/c\n@@ all of it @@\n-a mapping\n"
    )
    assert diff(before, before) == ""


def test_of_a_text_of_lines_those_are_shown_that_differ() -> None:
    """With one line around them, in the order in which a diff has them."""
    lines = "".join(f"    line {number}\n" for number in range(9))
    before = config("  a: |\n" + lines + "    -- old\n" + lines)
    after = config("  a: |\n" + lines + "    -- new\n" + lines)
    assert diff(before, after).split("@@ data.a @@\n")[1] == " line 8\n--- old\n+-- new\n line 0\n"


def test_nothing_of_a_secret_is_shown() -> None:
    """Only the place of what differs in it, in messages, too."""
    before = config("  password: aHVudGVyMg==\n  user: bWU=\n", kind="Secret")
    after = config("  password: aHVudGVyMw==\n", kind="Secret")
    shown = diff(before, after)
    assert "@@ data.password @@" in shown
    assert "@@ data.user @@" in shown
    old, new = (read_rendering(text.encode(), namespace="shop") for text in (before, after))
    for text in (shown, *map(str, differences(old, new))):
        assert "aHVudGVyM" not in text
        assert "bWU=" not in text


def test_a_diff_is_short() -> None:
    """It ends after some lines, each of them cut, with what there is besides; it controls no terminal."""
    many = "".join(f"  k{number:03}: {'x' * 500}\n" for number in range(100))
    lines = diff(config(many), config(many.replace("x", "y"))).splitlines()
    assert len(lines) == LONGEST_DIFF
    assert lines[-1] == "# and more, with 80 other places"
    assert max(map(len, lines)) == 160
    one = diff(config('  a: "x\\e[1m"\n'), config("  a: " + "long " * 10_000 + "\n"))
    assert "\x1b" not in one
    text = "".join(f"    {number}\n" for number in range(5000))
    assert len(diff(config(f"  a: |\n{text}"), config(f"  a: |\n{text}    x\n")).splitlines()) < 10
    half = "".join(f"    {number}\n" for number in range(900))
    long = diff(config(f"  a: |\n{half}"), config("  a: |\n" + half.replace("    ", "    x")))
    assert len(long.splitlines()) == LONGEST_DIFF
    assert long.endswith("\n# and more\n")
