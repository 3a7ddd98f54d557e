"""Looking in programs of jsonnet for texts that may be part of an image's name, and writing others there.

Which of them are is found out by evaluating (see `composed`). What comes into question is what a string
begins with, or a line of a text of several lines does, behind a key: a name, or a part of one that a format
or another string goes on with. A file that is imported as a text is one, too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple

from gitops_backup.sources.edits import Span, Splice, apply
from gitops_backup.sources.jsonnet.literals import Literal, Spelling, literals_in, spelled
from gitops_backup.sources.rendering import Files

_MOST = 1000
"""How many texts are looked at."""

_SHORTEST = 2
_LONGEST = 100_000


class Likelihood(IntEnum):
    """What speaks for a text: it is a reference, it is called an image, or its letters are alike."""

    REFERENCE = 0
    CALLED_SO = 1
    ALIKE = 2


class Text(NamedTuple):
    """A name, or a part of one, that is written in a program from the byte `start` to `end`."""

    path: str
    start: int
    end: int
    name: str
    likelihood: Likelihood

    @property
    def writable(self) -> bool:
        """All of them are."""
        return True


def search(files: Files, programs: Iterable[str], names: AbstractSet[str]) -> list[Text]:
    """The texts that one of the names, which have no tags, has in it: in programs and what they import."""
    programs = list(programs)
    words = [name.rpartition("/")[2].encode() for name in names]
    words += [name.partition("/")[0].encode() for name in names]
    found = [
        text
        for path in programs
        if any(word in files[path] for word in words) or b"\\" in files[path]
        for text in _texts(path, files[path], names)
    ]
    for path in sorted(files.keys() - set(programs)):
        if any(word in files[path] for word in words) and len(files[path]) <= _LONGEST:
            found += _in(path, _as_it_is(files[path]), names)
    return sorted(found, key=lambda text: text.likelihood)[:_MOST]


def written(files: Files, names: Mapping[Text, str]) -> Files:
    """The files with other names, which need no escape in a string, in place of texts."""
    splices: dict[str, list[Splice]] = {}
    for text, name in names.items():
        splices.setdefault(text.path, []).append(Splice(Span(text.start, text.end), name.encode()))
    return {**files, **{path: apply(files[path], its) for path, its in splices.items()}}


def line_of(text: Text, content: bytes) -> int:
    """The line of a text in its file."""
    return content.count(b"\n", 0, text.start) + 1


def _texts(path: str, content: bytes, names: AbstractSet[str]) -> Iterator[Text]:
    for literal in literals_in(content):
        if literal.imports or literal.is_key or literal.end - literal.start > _LONGEST:
            continue
        for text in _in(path, spelled(content, literal), names):
            if text.likelihood == Likelihood.ALIKE and _is_called_so(content, literal):
                text = text._replace(likelihood=Likelihood.CALLED_SO)
            yield text


def _as_it_is(content: bytes) -> Spelling:
    """A file that is a string as a whole; one that is no text says nothing."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Spelling("", (0,))
    return Spelling(text, (0, *accumulate(len(letter.encode()) for letter in text)))


def _in(path: str, spelling: Spelling, names: AbstractSet[str]) -> Iterator[Text]:
    text = spelling.text
    starts = [0] if "\n" not in text else [match.end() for match in _BEFORE.finditer(text)]
    for start in starts:
        match = _NAME.match(text, start)
        if match is None or len(match[0]) < _SHORTEST or not any(match[0] in name for name in names):
            continue
        name, end = match[0], match.end()
        likelihood = Likelihood.CALLED_SO if "." in name or name in names else Likelihood.ALIKE
        if "/" in name or text[end : end + 1] in (":", "@"):
            likelihood = Likelihood.REFERENCE
        yield Text(path, spelling.offsets[start], spelling.offsets[end], name, likelihood)


def _is_called_so(content: bytes, literal: Literal) -> bool:
    """Whether something before a string, on its line, says that it has to do with images."""
    line_starts = content.rfind(b"\n", 0, literal.start) + 1
    return _HINT.search(content, max(line_starts, literal.start - _NEAR), literal.start) is not None


_NEAR = 80
_HINT = re.compile(rb"image|repo|registry|hub|docker|container", re.IGNORECASE)
# a reference up to its tag or digest, a part of one, or what a format goes on with
_NAME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(?::[0-9]+(?=/))?(?:/[A-Za-z0-9._-]+)*(?=/?(?:\Z|[\s%\"'])|[:@])", re.ASCII
)
# what stands in a line of YAML before a value
_BEFORE = re.compile(r"^[ \t]*(?:-[ \t]+)?(?:[\"']?[\w./-]+[\"']?:[ \t]+)?[\"']?", re.ASCII | re.MULTILINE)
