"""Where the Applications of a branch are written, that others deploy from it: apps of apps.

The files of their parents are read for them: those of a directory, and those that a kustomization lists.
A manifest counts where it says what is in the cluster (see `inline.comparison`), which the edit looks at;
where several are of one Application, as a base and a patch of it, that one is taken which does. What a chart
makes of its templates, and what a kustomization patches, is written in no file as it is: see `parents`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gitops_backup.controller.evidence import Surroundings, Witness
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import Part
from gitops_backup.controller.reading import Elsewhere, Readable, Reading, read_sources
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, Declarer, Source
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.inline.comparison import differing_sources
from gitops_backup.sources.inline.manifests import GROUP, read_applications
from gitops_backup.sources.kinds import SourceKind, kind_of_source
from gitops_backup.sources.layouts import layout_of
from gitops_backup.sources.mounts import is_mounted
from gitops_backup.sources.places import Place

_Name: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Declarations:
    """What a source of an Application declares: others, by namespace and name, as each of its files says.

    They may become others where they are `rendered`; `problem` is why nothing is known of them.
    """

    applications: Mapping[_Name, tuple[Application, ...]] = field(default_factory=dict)
    rendered: bool = False
    problem: str = ""


def with_declarations(
    branch: Readable,
    commit: str,
    parts: Sequence[Part],
    *,
    elsewhere: Elsewhere | None,
    outcomes: Outcomes,
) -> list[Part]:
    """The parts, their sources with the places where their Applications say them, as far as there are any.

    Raises what reading the branch raises.
    """
    declarers = list(dict.fromkeys(each for part in parts for each in _unplaced(part)))
    if not declarers:
        return list(parts)
    here = frozenset(place for part in parts for place in part.places_here)
    looking = [
        Part(each.application, (each.source,), (), here=here | {Place.of(each.source)}) for each in declarers
    ]
    reading = read_sources(branch, commit, looking, elsewhere=elsewhere, outcomes=outcomes)
    known = {
        declarer: _declared(declarer, frozenset(reading.paths(number)), reading, outcomes)
        for number, declarer in enumerate(declarers)
    }
    return [_placed(part, [(each, known[each]) for each in _unplaced(part)]) for part in parts]


def _unplaced(part: Part) -> tuple[Declarer, ...]:
    """Who may declare the part's Application, where that is not known."""
    return part.declarers if any(source.declared is None for source in part.sources) else ()


def _placed(part: Part, declared: Iterable[tuple[Declarer, Declarations]]) -> Part:
    if part.application.generator:  # it is in no file as it is
        return part
    found: list[Application] = []
    problems: list[str] = []
    for declarer, declarations in declared:
        name = part.application.namespace, part.application.name
        here = declarations.applications.get(name, ())
        if declarations.rendered:  # what a patch changes is said elsewhere
            here = tuple(each for each in here if _is_as(part.application, each))
        found += here
        if not here:
            parent = f"the Application {declarer.application.namespace}/{declarer.application.name}"
            problems.append(declarations.problem or f"no file of {parent} has it as it is")
    if not found:
        return replace(part, undeclared=problems[0] if problems else "")
    alike = (each for each in found if len(found) == 1 or _is_as(part.application, each))
    best = next(alike, found[-1])
    places = {source.place: source.declared for source in best.sources}
    sources = tuple(replace(source, declared=places.get(source.place)) for source in part.sources)
    return replace(part, sources=sources)


def _is_as(live: Application, written: Application) -> bool:
    return not differing_sources(live.sources, written.sources)


def _declared(
    declarer: Declarer, paths: frozenset[str], reading: Reading, outcomes: Outcomes
) -> Declarations:
    around = Surroundings(reading.tree, reading.contents, reading.mounts)
    application, source = declarer.application.specified(), declarer.source
    known, asked = outcomes.of(application, source), (_DECLARED, paths)
    kept = known.recall(asked, [around])
    if kept is not None:
        came: Declarations = kept.came
        return came
    reading.contents.load(paths)
    witness = Witness(around)
    made = _read(application, source, paths, witness)
    known.keep(asked, made, [witness.evidence()], size=sum(map(len, made.applications)) * 1000)
    return made


def _read(application: Application, source: Source, paths: frozenset[str], witness: Witness) -> Declarations:
    layout = layout_of(application, source, witness.mounts)
    who = f"the Application {application.namespace}/{application.name}"
    if layout is None:
        return Declarations(problem=f"the path of {who} leads out of the repository")
    kind = kind_of_source(application, source, folder=layout.folder, tree=witness.tree)
    if kind not in {SourceKind.DIRECTORY, SourceKind.KUSTOMIZE}:
        what = "the chart" if kind == SourceKind.HELM else "what is"
        return Declarations(problem=f"{who} makes it from {what} in {one_line(layout.folder) or '.'}")
    found: dict[_Name, tuple[Application, ...]] = {}
    for path in sorted(paths):
        content = None if is_mounted(path) else witness.contents.get(path)
        if content is None or GROUP.encode() not in content:
            continue
        try:
            here = list(read_applications(path, content, home=application.destination_namespace))
        except InvalidManifest:
            continue
        for each in here:
            name = each.namespace, each.name
            found[name] = (*found.get(name, ()), each)
    return Declarations(found, rendered=kind == SourceKind.KUSTOMIZE)


_DECLARED = "declared"
