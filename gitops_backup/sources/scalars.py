"""Writing another text in a scalar's place, in the form that it has.

An anchor, a tag and the kind of quotes stay, as does the form of a block.
"""

import re

from yaml.nodes import ScalarNode

from gitops_backup.sources.documents import File
from gitops_backup.sources.edits import Splice


def rewritten(file: File, node: ScalarNode, new: str) -> Splice:
    """The new text in place of the scalar's, within its quotes or its block.

    `new` has no character that one of these would have to escape. Where it cannot stand without quotes, it
    is written without them all the same: reading the edited file shows it.
    """
    raw = file.raw(node)
    start, end = past_properties(raw), len(raw)
    if node.style in ("|", ">"):
        start = raw.find(node.value, raw.find("\n", start))
        end = start + len(node.value)
    elif node.style:
        start, end = start + 1, end - 1
    base = node.start_mark.index
    return Splice(file.span(base + start, base + end), new.encode())


def past_properties(raw: str) -> int:
    """Where in a scalar as it is written its anchor and its tag are over."""
    start = 0
    while (found := _PROPERTY.match(raw, start)) is not None:
        start = found.end()
    return start


# an anchor or a tag, and what may stand between it and the scalar: blanks, comments, line breaks
_PROPERTY = re.compile(r"[&!]\S*(?:[ \t\r\n]|(?<=[ \t\r\n])#[^\r\n]*)*")
