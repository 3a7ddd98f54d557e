"""A directory of plain manifests: the scalar of that container in that document is what is edited.

All files that name the workload are read, not only those with the image in them: of an object that stands in
several files the last one holds, and that one may say another image.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.directory import Listing, skips
from gitops_backup.sources.documents import File, InvalidManifest
from gitops_backup.sources.edits import apply
from gitops_backup.sources.manifests import FileEdit, Manifest, find_images, image_uses, rewrite
from gitops_backup.sources.proof import ProofFailed, prove
from gitops_backup.sources.replacements import (
    ImageUse,
    ObjectId,
    Refused,
    Replaced,
    Replacement,
    ShapeResult,
)
from gitops_backup.sources.sites import Site
from gitops_backup.sources.trees import not_followed


@dataclass(frozen=True, slots=True)
class Manifests:
    """The files of a directory with pod templates, which of them holds each workload, and what is no YAML."""

    site: Site
    listing: Listing
    files: dict[str, tuple[File, tuple[Manifest, ...]]] = field(default_factory=dict)
    holding: dict[ObjectId, str] = field(default_factory=dict)
    invalid: list[InvalidManifest] = field(default_factory=list)

    def edit(self, replacements: Sequence[Replacement]) -> ShapeResult:
        """What is to change in the manifests for these replacements, whose workloads were looked for.

        An edit that cannot be shown to change images alone is not made.
        """
        namespace = self.site.namespace
        edits: dict[str, bytes] = {}
        replaced: list[Replaced] = []
        done: list[Replacement] = []
        refused: list[Refused] = []
        images: list[ImageUse] = []
        for path, wanted in _by_file(replacements, self.holding).items():
            if path is None:
                refused += [self._missing(replacement) for replacement in wanted]
                continue
            file, manifests = self.files[path]
            edit = rewrite(file, manifests, wanted, namespace=namespace)
            done += edit.done
            refused += edit.refused
            if edit.splices:
                try:
                    content = _proven(file, edit)
                except (ProofFailed, InvalidManifest) as error:
                    message = f"the edited file would not do: {error.message}"
                    refused += [Refused(r.replacement, Reason.PROOF_FAILED, message) for r in edit.replaced]
                    continue
                edits[path] = content
                replaced += edit.replaced
                images += image_uses(file, manifests, edit.intended, namespace=namespace)
        return ShapeResult(
            edits=edits,
            replaced=tuple(replaced),
            done=tuple(done),
            refused=tuple(refused),
            images=tuple(images),
        )

    def _missing(self, replacement: Replacement) -> Refused:
        """Why a workload was not found: the likeliest reason."""
        name = replacement.workload.name.encode()
        for error in self.invalid:
            if name in self.site.contents[error.path]:
                return Refused(replacement, Reason.INVALID_MANIFEST, error.message)
        if self.listing.links:
            message = not_followed(self.listing.links[0])
            return Refused(replacement, Reason.UNSUPPORTED_SOURCE, message)
        where = one_line(self.site.folder) or "the repository's root"
        message = f"no manifest in {where} describes {replacement.workload}"
        return Refused(replacement, Reason.NOT_FOUND_IN_SOURCE, message)


def read_directory(site: Site, listing: Listing, workloads: AbstractSet[ObjectId]) -> Manifests:
    """The manifests of a directory that describe some workloads."""
    reading = Manifests(site, listing)
    names = {workload.name.encode() for workload in workloads}
    kinds = {workload.kind.encode() for workload in workloads}
    for path in listing.manifests:
        content = site.contents.get(path)
        if content is None or not _may_describe(content, names, kinds) or skips(content):
            continue
        try:
            file = File.read(path, content)
            manifests = find_images(file)
        except InvalidManifest as error:
            reading.invalid.append(error)
            continue
        reading.files[path] = file, manifests
        for manifest in manifests:
            identity = manifest.identity(site.namespace)
            if identity in workloads:
                reading.holding[identity] = path
    return reading


def _may_describe(content: bytes, names: set[bytes], kinds: set[bytes]) -> bool:
    """Whether a file may have one of the workloads in it: most have not, and are not parsed."""
    words = set(_WORD.findall(content))
    return bool(words & names and words & kinds) or bool(_ESCAPE.search(content))


def _by_file(
    replacements: Iterable[Replacement], holding: Mapping[ObjectId, str]
) -> dict[str | None, list[Replacement]]:
    """The replacements by the file that holds their workload; None for those that none holds."""
    grouped: dict[str | None, list[Replacement]] = {}
    for replacement in replacements:
        grouped.setdefault(holding.get(replacement.workload), []).append(replacement)
    return grouped


def _proven(file: File, edit: FileEdit) -> bytes:
    content = apply(file.content, edit.splices)
    prove(file, File.read(file.path, content), edit.intended)
    return content


_WORD = re.compile(rb"[A-Za-z0-9.-]+")
_ESCAPE = re.compile(rb"\\[xuU]")
