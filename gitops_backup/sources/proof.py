"""The proof that an edit changed images and nothing else.

A file is parsed before and after, and both trees are walked side by side: the same documents, the same keys
in the same order, the same tags and quotes, the same anchors shared by the same aliases, and the same text in
every scalar but those that stand at the intended positions, which have exactly the new text. The spans that
the edit was made with play no part in it, so a wrong one shows.
"""

from collections.abc import Mapping
from itertools import chain

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import Resolver

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.documents import Parsed, Position


class ProofFailed(GitopsBackupError):
    """What an edit changed is not what was intended; the message says where."""


def prove(before: Parsed, after: Parsed, intended: Mapping[Position, str]) -> None:
    """Shows that two versions of a file differ in the intended scalars alone.

    `intended` has the text that each position is to have afterwards; of a scalar with an anchor, any of its
    positions stands for all. Raises `ProofFailed` where they differ otherwise, or where a scalar does not say
    what it should, or would not be read as a string.
    """
    wanted: dict[int, str] = {}
    for position, text in intended.items():
        old, new = _at(before, position), _at(after, position)
        if new.value != text:
            raise _failed(before, old, f"would say {one_line(str(new.value))!r} instead of {text!r}")
        if not new.style and not _reads_as_text(text):
            raise _failed(before, old, f"would not be read as text if it said {text!r} without quotes")
        wanted[id(old)] = text
    if len(before.roots) != len(after.roots):
        found = f"would have {len(after.roots)} documents instead of {len(before.roots)}"
        raise ProofFailed(f"{one_line(before.path)} {found}")
    _compare(before, after, wanted)


def _compare(before: Parsed, after: Parsed, wanted: Mapping[int, str]) -> None:
    """Walks the documents side by side; a node that was met before has to meet the same one again."""
    track = before.aliased or after.aliased
    partners: dict[int, int] = {}
    taken: set[int] = set()
    stack = list(zip(before.roots, after.roots, strict=True))
    while stack:
        old, new = stack.pop()
        if track:
            if id(old) in partners or id(new) in taken:
                if partners.get(id(old)) != id(new):
                    raise _failed(before, old, "would no longer share its anchor with the same aliases")
                continue
            partners[id(old)] = id(new)
            taken.add(id(new))
        problem = _difference(old, new, wanted.get(id(old)))
        if problem is not None:
            raise _failed(before, old, problem)
        if isinstance(old, MappingNode):
            stack += zip(chain.from_iterable(old.value), chain.from_iterable(new.value), strict=True)
        elif isinstance(old, SequenceNode):
            stack += zip(old.value, new.value, strict=True)


def _difference(old: Node, new: Node, wanted: str | None) -> str | None:
    if type(old) is not type(new) or old.tag != new.tag:
        return "would become something else"
    if isinstance(old, ScalarNode):
        # that a wanted text is there was seen before
        if new.value not in (old.value, wanted):
            return f"would become {one_line(str(new.value), limit=80)!r}"
        if old.style != getattr(new, "style", None):
            return "would be written in another style"
    elif len(old.value) != len(new.value):
        return f"would have {len(new.value)} entries instead of {len(old.value)}"
    return None


def _reads_as_text(plain: str) -> bool:
    tag: object = Resolver().resolve(ScalarNode, plain, (True, False))  # type: ignore[no-untyped-call]
    return tag == "tag:yaml.org,2002:str"


def _at(parsed: Parsed, position: Position) -> ScalarNode:
    try:
        node = parsed.at(position)
    except LookupError as error:
        raise ProofFailed(f"{one_line(parsed.path)} would lose an image") from error
    if not isinstance(node, ScalarNode):
        raise _failed(parsed, node, "is no text")
    return node


def _failed(before: Parsed, node: Node, what: str) -> ProofFailed:
    return ProofFailed(f"{one_line(before.path)}, line {before.line(node)}: what stands there {what}")
