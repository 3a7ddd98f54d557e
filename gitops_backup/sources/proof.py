"""The proof that an edit changed images and nothing else.

A file is read before and after, from its bytes, and both are walked side by side: the same documents, the
same keys in the same order, the same tags and quotes, the same anchors shared by the same aliases, and the
same text in every scalar but those that stand at the intended positions, which have exactly the new text. The
spans that the edit was made with play no part in it, so a wrong one shows.
"""

from collections.abc import Mapping
from itertools import chain, zip_longest

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import Resolver

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.documents import Document, File, Position, Steps, line_of


class ProofFailed(GitopsBackupError):
    """What an edit changed is not what was intended; the message says where."""


def prove(before: File, after: File, intended: Mapping[Position, str]) -> None:
    """Shows that two versions of a file differ in the intended scalars alone.

    `intended` has the text that each position is to have afterwards; of a scalar with an anchor, any of its
    positions stands for all. Raises `ProofFailed` where they differ otherwise, or where a scalar does not say
    what it should, or would not be read as a string; and `InvalidManifest`.
    """
    by_document: dict[int, dict[Steps, str]] = {}
    for position, text in intended.items():
        by_document.setdefault(position.document, {})[position.steps] = text
    path = one_line(before.path)
    try:
        for old, new in zip_longest(before.documents(), after.documents()):
            if old is None or new is None:
                raise ProofFailed(f"{path} would have {'fewer' if new is None else 'more'} documents")
            texts = by_document.pop(old.number, {})
            _compare(old, new, _wanted(old, new, texts))
    except _Different as difference:
        what = f"{path}, line {line_of(difference.node)}: what stands there {difference.what}"
        raise ProofFailed(what) from difference
    if by_document:
        raise ProofFailed(f"{path} would lose an image")


class _Different(Exception):
    def __init__(self, node: Node, what: str) -> None:
        super().__init__(what)
        self.node = node
        self.what = what


def _wanted(before: Document, after: Document, texts: Mapping[Steps, str]) -> dict[int, str]:
    """The new text by the old scalar, when the new scalar has it."""
    wanted: dict[int, str] = {}
    for steps, text in texts.items():
        old = before.at(steps)
        try:
            new = after.at(steps)
        except LookupError as error:
            raise _Different(old, "would be gone") from error
        if new.value != text:
            raise _Different(old, f"would say {one_line(str(new.value))!r} instead of {text!r}")
        if isinstance(new, ScalarNode) and not new.style and not _reads_as_text(text):
            raise _Different(old, f"would not be read as text if it said {text!r} without quotes")
        wanted[id(old)] = text
    return wanted


def _compare(before: Document, after: Document, wanted: Mapping[int, str]) -> None:
    """Walks two documents side by side; a node that was met before has to meet the same one again."""
    track = before.aliased or after.aliased
    partners: dict[int, int] = {}
    taken: set[int] = set()
    stack = [(before.root, after.root)]
    while stack:
        old, new = stack.pop()
        if track:
            if id(old) in partners or id(new) in taken:
                if partners.get(id(old)) != id(new):
                    raise _Different(old, "would no longer share its anchor with the same aliases")
                continue
            partners[id(old)] = id(new)
            taken.add(id(new))
        problem = _difference(old, new, wanted.get(id(old)))
        if problem is not None:
            raise _Different(old, problem)
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
