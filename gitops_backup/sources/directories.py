"""A directory of manifests, and of programs of jsonnet beside them.

Of an object that several files have, the last file holds. What is wrong with a program speaks against edits
of what it reads; the manifests beside it are edited all the same, each by itself.
"""

from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

from gitops_backup.domain.images import Reference
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.directory import DirectoryOptions, Listing, list_files, skips
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.jsonnet.editing import edit_programs, flat
from gitops_backup.sources.jsonnet.programs import Programs, UnusableProgram, imports_of
from gitops_backup.sources.layouts import Layout
from gitops_backup.sources.plain import read_directory
from gitops_backup.sources.rendered import Rendered, read_manifests
from gitops_backup.sources.replacements import Refused, Replacement, ShapeResult
from gitops_backup.sources.sites import Site
from gitops_backup.sources.trees import Tree, not_followed


class DirectoryFiles(NamedTuple):
    """The files of a directory; those `beside` are manifests that no program imports."""

    paths: frozenset[str]
    beside: frozenset[str]


def files_of_directory(
    layout: Layout,
    options: DirectoryOptions,
    *,
    known: Mapping[str, str],
    tree: Tree,
    contents: Mapping[str, bytes],
) -> DirectoryFiles:
    """The files that a directory is read from, as far as the contents that are known tell.

    `known` are the names for which Argo CD puts something in.
    """
    listing = list_files(tree, layout.folder, options)
    manifests = frozenset(listing.manifests)
    evaluated = frozenset(listing.programs)
    try:
        _, imported = imports_of(
            listing.programs, options.jsonnet, layout=layout, known=known, tree=tree, contents=contents
        )
    except UnusableProgram:
        return DirectoryFiles(manifests | evaluated, manifests)
    evaluated = evaluated.union(*(each.files for each in imported.values()))
    return DirectoryFiles(manifests | evaluated, manifests - evaluated)


def edit_directory(
    replacements: Sequence[Replacement],
    site: Site,
    *,
    known: Mapping[str, str],
    copies: Mapping[Reference, str],
) -> ShapeResult:
    """What is to change in a directory for these replacements.

    The site has the files that `files_of_directory` names. `known` are the names for which Argo CD puts
    something in, and `copies` has the reference of each source's verified copy.
    """
    workloads = {replacement.workload for replacement in replacements}
    listing = _listing(site)
    manifests = read_directory(site, listing, workloads)
    if not listing.programs:
        return manifests.edit(replacements)
    holding = manifests.holding
    try:
        programs = _programs(site, listing, known)
        made = programs.objects(programs.files)
    except UnusableProgram as error:
        found = [each for each in replacements if each.workload in holding]
        missing = [each for each in replacements if each.workload not in holding]
        refused = (Refused(each, error.reason, error.message) for each in missing)
        return _together(ShapeResult(refused=tuple(refused)), manifests.edit(found))
    makers = {each.identity: path for path, objects in made.items() for each in objects}
    theirs: list[Replacement] = []
    others: list[Replacement] = []
    for each in replacements:
        by_program = _is_later(makers.get(each.workload), holding.get(each.workload))
        (theirs if by_program else others).append(each)
    block = site.layers.source.directory.jsonnet
    result = edit_programs(theirs, programs, block, before=flat(made), copies=copies)
    if result.edits.keys() & set(listing.manifests):  # what is a manifest may be imported, too
        edited = ChainMap(dict(result.edits), cast("MutableMapping[str, bytes]", site.contents))
        manifests = read_directory(replace(site, contents=edited), listing, workloads)
    return _together(result, manifests.edit(others))


def render_programs(site: Site, known: Mapping[str, str], *, again: bool = False) -> tuple[Rendered, ...]:
    """What the programs of a directory evaluate to; with `again`, even if that was done before.

    Raises `UnusableProgram`.
    """
    listing = _listing(site)
    if not listing.programs:
        return ()
    programs = _programs(site, listing, known)
    return tuple(flat(programs.objects(programs.files, again=again)))


def objects_of_directory(
    site: Site, known: Mapping[str, str], unread: Mapping[str, str]
) -> tuple[tuple[Rendered, ...], tuple[str, ...]]:
    """The objects of a directory, and a sentence for each thing that is not known of it.

    `unread` says why files could not be read.
    """
    listing = _listing(site)
    problems = [not_followed(path) for path in listing.links]
    found: dict[str, Sequence[Rendered]] = {}
    if listing.programs:
        try:
            programs = _programs(site, listing, known)
            found |= programs.objects(programs.files)
        except UnusableProgram as error:
            problems.append(str(error))
    for path in listing.manifests:
        content = site.contents.get(path)
        if content is None:
            problems.append(f"{one_line(path)} {unread.get(path, 'is not there')}")
        elif not skips(content):
            try:
                found[path] = read_manifests(path, content, namespace=site.namespace)
            except InvalidManifest as error:
                problems.append(error.message)
    # of an object's copies the last holds
    objects = {each.identity: each for path in sorted(found, key=_order) for each in found[path]}
    return tuple(objects.values()), tuple(problems)


def known_to_argo_cd(application: Application, source: Source) -> dict[str, str]:
    """The names in an Application that Argo CD puts something in for, but for those of the commit.

    They are the build environment of its documentation.
    """
    return {
        "ARGOCD_APP_NAME": application.instance,
        "ARGOCD_APP_NAMESPACE": application.destination_namespace,
        "ARGOCD_APP_PROJECT_NAME": application.app_project,
        "ARGOCD_APP_SOURCE_REPO_URL": source.repo_url,
        "ARGOCD_APP_SOURCE_PATH": source.path,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.released or source.target_revision,
    }


def _listing(site: Site) -> Listing:
    return list_files(site.tree, site.folder, site.layers.source.directory)


def _programs(site: Site, listing: Listing, known: Mapping[str, str]) -> Programs:
    """The programs of a directory, with what they import. Raises `UnusableProgram`."""
    paths = [path for path in listing.programs if not skips(site.contents.get(path, b""))]
    return Programs.read(paths, site.layers.source.directory.jsonnet, site, known=known)


def _is_later(program: str | None, manifest: str | None) -> bool:
    """Whether an object is what a program makes of it, which may be in a manifest, too."""
    if program is None or manifest is None:
        return program is not None
    return _order(program) > _order(manifest)


def _order(path: str) -> list[str]:
    """Where a file comes in a directory."""
    return path.split("/")


def _together(one: ShapeResult, other: ShapeResult) -> ShapeResult:
    return ShapeResult(
        edits={**one.edits, **other.edits},
        replaced=one.replaced + other.replaced,
        done=one.done + other.done,
        refused=one.refused + other.refused,
        images=one.images + other.images,
    )
