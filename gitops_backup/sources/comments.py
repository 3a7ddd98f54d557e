"""Comments that stand behind the last thing of a collection in block style, and are of it.

A comment that is indented like the collection, on the lines that follow it at once, is mostly something of it
that was switched off. What is added to the collection comes behind, so that it stays with what it was of.
"""


def behind_comments(text: str, at: int, *, column: int) -> int:
    """Where the lines end, from the start of one on, that are comments from this column on, or further in."""
    while at < len(text):
        end = text.find("\n", at)
        line = text[at : end if end >= 0 else len(text)]
        rest = line.lstrip(" ")
        if not rest.startswith("#") or len(line) - len(rest) < column:
            break
        at = end + 1 if end >= 0 else len(text)
    return at
