"""The work on sources, done where it was not done before: see `outcomes`.

What is handed on is all that there is to look at, and an Application without what changes by itself, so that
nothing can rest on what is not on record. What took too long may do another time, and is not kept; nor is a
refusal where something that may be random was rendered again.
"""

import zlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Self

from gitops_backup.controller.along import Along, along_of_proof
from gitops_backup.controller.evidence import Surroundings, Witness
from gitops_backup.controller.outcomes import Known, Outcomes
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.rendered import Difference, Rendered
from gitops_backup.sources.rendered_proof import NotExplained, proven
from gitops_backup.sources.replacements import Replacement, ShapeResult
from gitops_backup.sources.shapes import ToRead, edit_source, files_to_read, render_source


class Unknown(Exception):
    """What was asked for was not worked out before."""


@dataclass(frozen=True, slots=True)
class Named:
    """The files that a source is read from, and why some of them cannot be read."""

    to_read: ToRead
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """What changes in a rendering, or the problem if that is more than images becoming their copies.

    `difference` shows what else would change, where that is the problem.
    """

    along: tuple[Along, ...] = ()
    problem: str | None = None
    difference: str = ""


class Subject(NamedTuple):
    """A source of an Application, without what changes by itself, and what is known of it."""

    application: Application
    source: Source
    known: Known

    @classmethod
    def of(cls, application: Application, source: Source, outcomes: Outcomes) -> Self:
        """The source, as what came of it earlier is kept for it."""
        specified = application.specified()
        return cls(specified, source, outcomes.of(specified, source))


class Naming:
    """How it is found out which files a source is read from: the contents of some name further ones."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._witness: Witness | None = None

    def recall(self, here: Surroundings) -> Named | None:
        """All of them, where that is known."""
        kept = self._subject.known.recall(_FILES, [here])
        named: Named | None = kept.came if kept is not None else None
        return named

    def ask(self, here: Surroundings) -> ToRead:
        """Those that are named by the contents which are here."""
        witness = self._witness = Witness(here)
        return files_to_read(
            self._subject.application,
            self._subject.source,
            witness.tree,
            witness.contents,
            mounts=witness.mounts,
        )

    def keep(self, named: Named) -> None:
        """Take what was asked for last for all of them."""
        if self._witness is not None:
            self._witness.look_at(named.to_read.paths)
            self._subject.known.keep(_FILES, named, [self._witness.evidence()])


class Shaping:
    """Edits and proofs. With `known_only`, those that have to be worked out raise `Unknown`."""

    def __init__(self, *, known_only: bool = False) -> None:
        self._known_only = known_only

    def edit(self, subject: Subject, replacements: Sequence[Replacement], here: Surroundings) -> ShapeResult:
        """What is to change in a source; see `edit_source`."""
        application, source, known = subject
        asked = _EDIT, tuple(replacements)
        kept = self._recalled(known, asked, [here])
        if kept is not None:
            packed: _Packed = kept
            return packed.unpacked()
        witness = Witness(here)
        result = edit_source(
            application,
            source,
            replacements,
            tree=witness.tree,
            contents=witness.contents,
            mounts=witness.mounts,
            renderer=witness.renderer,
            copies=witness.copies,
            shared=witness.shared,
        )
        failed = any(refusal.reason == Reason.PROOF_FAILED for refusal in result.refused)
        if not witness.in_doubt and not (failed and witness.rendered_again):
            packed = _Packed.of(result)
            known.keep(asked, packed, [witness.evidence()], size=packed.size)
        return result

    def show(
        self,
        subject: Subject,
        before: Surroundings,
        after: Surroundings,
        declared: Sequence[Difference] = (),
    ) -> Shown:
        """What would become of a source from one commit to another; the copies are those of the first.

        `declared` is what changes in manifests of Applications that it reads.
        """
        application, source, known = subject
        asked = _PROOF, str(declared) if declared else ""
        kept = self._recalled(known, asked, [before, after])
        if kept is not None:
            shown: Shown = kept
            return shown
        old, new = Witness(before), Witness(after)

        def render(witness: Witness, *, again: bool = False) -> tuple[Rendered, ...]:
            return render_source(
                application,
                source,
                tree=witness.tree,
                contents=witness.contents,
                mounts=witness.mounts,
                renderer=witness.renderer,
                again=again,
            )

        try:
            proof = proven(
                render(old),
                render(new),
                copies=old.copies,
                again=partial(render, old, again=True),
                declared=declared,
            )
        except GitopsBackupError as error:
            difference = error.difference if isinstance(error, NotExplained) else ""
            shown = Shown(problem=error.message, difference=difference)
        else:
            shown = Shown(tuple(along_of_proof(f"{application.namespace}/{application.name}", proof)))
        if not (old.in_doubt or new.in_doubt or (shown.problem is not None and old.rendered_again)):
            known.keep(asked, shown, [old.evidence(), new.evidence()])
        return shown

    def _recalled(self, known: Known, asked: Hashable, here: Sequence[Surroundings]) -> Any:
        kept = known.recall(asked, here)
        if kept is None and self._known_only:
            raise Unknown
        return kept.came if kept is not None else None


@dataclass(frozen=True, slots=True)
class _Packed:
    """A result with its edits compressed: manifests are mostly repetition."""

    result: ShapeResult
    edits: Mapping[str, bytes]

    @classmethod
    def of(cls, result: ShapeResult) -> "_Packed":
        edits = {path: zlib.compress(content, _FAST) for path, content in result.edits.items()}
        return cls(replace(result, edits={}), edits)

    @property
    def size(self) -> int:
        return sum(map(len, self.edits.values()))

    def unpacked(self) -> ShapeResult:
        if not self.edits:
            return self.result
        return replace(self.result, edits={path: zlib.decompress(each) for path, each in self.edits.items()})


_FAST = 1
_FILES, _EDIT, _PROOF = "files", "edit", "proof"
