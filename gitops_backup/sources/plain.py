"""A directory of plain manifests: the scalar of that container in that document is what is edited.

All files that name the workload are read, not only those with the image in them: of an object that stands in
several files the last one holds, and that one may say another image.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.directory import DirectoryOptions, Listing, list_files, skips
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
from gitops_backup.sources.trees import Tree


def edit_directory(
    replacements: Sequence[Replacement],
    *,
    folder: str,
    options: DirectoryOptions,
    namespace: str,
    tree: Tree,
    contents: Mapping[str, bytes],
) -> ShapeResult:
    """What is to change in a directory of manifests for these replacements.

    `namespace` is the one that the Application deploys to. `contents` has the files' bytes by path; of these,
    the manifests of the directory are read. An edit that cannot be shown to change images alone is not made.
    """
    listing = list_files(tree, folder, options)
    reading = _read(listing, contents, {replacement.workload for replacement in replacements}, namespace)
    edits: dict[str, bytes] = {}
    replaced: list[Replaced] = []
    done: list[Replacement] = []
    refused: list[Refused] = []
    images: list[ImageUse] = []
    for path, wanted in _by_file(replacements, reading.holding).items():
        if path is None:
            missing = _Missing(folder, listing, reading, contents)
            refused += [missing.refusal(replacement) for replacement in wanted]
            continue
        file, manifests = reading.files[path]
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


@dataclass(frozen=True, slots=True)
class _Reading:
    """The files with pod templates, which of them holds each workload, and what is no YAML."""

    files: dict[str, tuple[File, tuple[Manifest, ...]]]
    holding: dict[ObjectId, str]
    invalid: list[InvalidManifest]


def _read(
    listing: Listing, contents: Mapping[str, bytes], workloads: set[ObjectId], namespace: str
) -> _Reading:
    reading = _Reading({}, {}, [])
    names = {workload.name.encode() for workload in workloads}
    kinds = {workload.kind.encode() for workload in workloads}
    for path in listing.manifests:
        content = contents.get(path)
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
            identity = manifest.identity(namespace)
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


@dataclass(frozen=True, slots=True)
class _Missing:
    """Why a workload was not found: what was read, and what could not be."""

    folder: str
    listing: Listing
    reading: _Reading
    contents: Mapping[str, bytes]

    def refusal(self, replacement: Replacement) -> Refused:
        """The likeliest reason."""
        name = replacement.workload.name.encode()
        for error in self.reading.invalid:
            if name in self.contents[error.path]:
                return Refused(replacement, Reason.INVALID_MANIFEST, error.message)
        for paths, what in (
            (self.listing.links, "a symbolic link, which is not followed"),
            (self.listing.programs, "jsonnet, which is not evaluated"),
        ):
            if paths:
                message = f"{one_line(paths[0])} is {what}"
                return Refused(replacement, Reason.UNSUPPORTED_SOURCE, message)
        where = one_line(self.folder) or "the repository's root"
        message = f"no manifest in {where} describes {replacement.workload}"
        return Refused(replacement, Reason.NOT_FOUND_IN_SOURCE, message)


_WORD = re.compile(rb"[A-Za-z0-9.-]+")
_ESCAPE = re.compile(rb"\\[xuU]")
