"""Which texts of a chart to change, by where marks in them come out of a rendering.

Texts that may just happen to be alike get no marks at first, because marks in them may change what the chart
does: they are tried where the others do not suffice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitops_backup.domain.images import InvalidReference, Reference, means
from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.helm.compositions import Composition, NoCopy, NotWritable, Segment, solve
from gitops_backup.sources.helm.marks import Marks
from gitops_backup.sources.helm.rendering import ChartRendering, Unwritten
from gitops_backup.sources.helm.search import Search
from gitops_backup.sources.helm.texts import Text
from gitops_backup.sources.helm.words import Words
from gitops_backup.sources.rendered import Rendered, RenderedImage, images_of
from gitops_backup.sources.replacements import Refused, Replacement


@dataclass(frozen=True, slots=True)
class Solved:
    """A replacement, and the names that texts get for it."""

    replacement: Replacement
    image: RenderedImage
    names: Mapping[Text, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to change, what cannot be, and of which texts images are made."""

    solved: Sequence[Solved] = ()
    refused: Sequence[Refused] = ()
    compositions: Mapping[RenderedImage, Composition[Text]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Findings:
    """Where texts come out: in images, and, for some, also where something else than an image stands."""

    compositions: Mapping[RenderedImage, Composition[Text]]
    strays: Mapping[Text, str]


def make_plan(
    due: Mapping[Replacement, RenderedImage],
    *,
    rendering: ChartRendering,
    before: Sequence[Rendered],
    copies: Mapping[Reference, str],
    words: Words,
) -> Plan:
    """Which texts to change for all that is due, as far as marks tell; the likely texts are tried first.

    `before` is the rendering as it is, and `copies` has the reference of each source's verified copy.
    """
    if not due:
        return Plan()
    targets = _targets(images_of(before), copies)
    names, wholes = {_name(image.text) for image in targets}, {image.text for image in targets}
    search = Search(rendering.chart, rendering.inline, names=names, shared=rendering.shared)
    texts = search.texts(wholes)
    likely = [text for text in texts if text.likely]
    try:
        findings = _findings(likely, rendering=rendering, before=before)
        plan = _solutions(due, findings=findings, targets=targets, words=words)
    except Unwritten as error:
        return _without_marks(due, texts=texts, targets=targets, words=words, problem=error.message)
    texts += search.registries(_hosts(plan.compositions.values()))
    if not plan.refused or len(texts) == len(likely):
        return plan
    try:
        findings = _findings(texts, rendering=rendering, before=before)
        other = _solutions(due, findings=findings, targets=targets, words=words)
    except Unwritten:
        return plan
    return other if len(other.solved) > len(plan.solved) else plan


def _without_marks(
    due: Mapping[Replacement, RenderedImage],
    *,
    texts: Sequence[Text],
    targets: Mapping[RenderedImage, str],
    words: Words,
    problem: str,
) -> Plan:
    """What to change where a chart takes no marks: the texts that alone are an image's name, for a proof."""
    compositions: dict[RenderedImage, Composition[Text]] = {}
    for image in targets:
        spelled = _spelled(_name(image.text), texts)
        if len(spelled) == 1:
            compositions[image] = spelled[0]
    plan = _solutions(due, findings=_Findings(compositions, {}), targets=targets, words=words)
    message = f"{words.source} cannot be rendered with another image: {problem}"
    refused = [Refused(each.replacement, Reason.PROOF_FAILED, message) for each in plan.refused]
    return replace(plan, refused=refused)


def _spelled(name: str, texts: Sequence[Text]) -> list[Composition[Text]]:
    """The ways to put a name together of one of these texts, or of two that stand side by side."""
    host, _, rest = name.partition("/")
    written = [text for text in texts if text.writable]
    found = [Composition(name, (Segment(each, 0, len(name)),)) for each in written if each.name == name]
    hosts = {(each.path, each.keys[:-1]): each for each in written if each.name == host}
    for each in written:
        beside = hosts.get((each.path, each.keys[:-1])) if each.name == rest else None
        if beside is not None:
            segments = Segment(beside, 0, len(host)), Segment(each, len(host) + 1, len(name))
            found.append(Composition(name, segments))
    return found


def _hosts(compositions: Iterable[Composition[Text]]) -> Mapping[Text, str]:
    """The hosts that a template itself puts before a text, where that is always the same one."""
    hosts: dict[Text, set[str]] = {}
    for composition in compositions:
        first = next(iter(composition.segments), None)
        if first is not None and first.end == len(composition.name):
            host, slash, rest = composition.name[: first.start].partition("/")
            hosts.setdefault(first.piece, set()).add(host if slash and not rest else "")
    return {text: found.pop() for text, found in hosts.items() if len(found) == 1 and found != {""}}


def _findings(texts: Sequence[Text], *, rendering: ChartRendering, before: Sequence[Rendered]) -> _Findings:
    """Where these texts come out. Raises `Unwritten` where that cannot be rendered."""
    if not texts:
        return _Findings({}, {})
    marks = Marks([*rendering.chart.files.values(), *(image.text.encode() for image in images_of(before))])
    marked = {text: text.renamed(text.name + marks.mark(number)) for number, text in enumerate(texts)}
    after = rendering.tried(marked)
    shown = {(marks.without(image.workload), image.steps): image.text for image in images_of(after)}
    found = (
        (image, marks.composition(_name(image.text), shown.get((image.workload, image.steps), ""), texts))
        for image in images_of(before)
    )
    wholes = {image.text for image in images_of(before)}
    return _Findings(
        compositions={image: composition for image, composition in found if composition is not None},
        strays=marks.strays(_other_than(before, after), texts, allowed=wholes),
    )


def _other_than(before: Sequence[Rendered], after: Sequence[Rendered]) -> list[Rendered]:
    """The objects that are not the very same."""
    same = {id(each) for each in before}
    return [each for each in after if id(each) not in same]


def _solutions(
    due: Mapping[Replacement, RenderedImage],
    *,
    findings: _Findings,
    targets: Mapping[RenderedImage, str],
    words: Words,
) -> Plan:
    compositions = findings.compositions
    solved: list[Solved] = []
    refused: list[Refused] = []
    names: Mapping[Text, str] = {}
    pieces = {segment.piece for each in compositions.values() for segment in each.segments}
    fixed = frozenset(piece for piece in pieces if not piece.writable or piece in findings.strays)
    for replacement, image in due.items():
        try:
            found = solve(image, compositions, targets, changed=names, fixed=fixed)
        except NoCopy as error:
            refused.append(words.no_copy(replacement, error.piece, error.user))
        except NotWritable as error:
            refused.append(
                words.not_writable(
                    replacement,
                    image,
                    composition=compositions.get(image),
                    strays=findings.strays,
                    user=error.user,
                )
            )
        else:
            own = {segment.piece for segment in compositions[image].segments}
            new = {text: name for text, name in found.items() if text in own or text not in names}
            solved.append(Solved(replacement, image, new))
            names = found
    return Plan(solved, refused, compositions)


def _targets(images: Sequence[RenderedImage], copies: Mapping[Reference, str]) -> dict[RenderedImage, str]:
    """The name that each image becomes that has a copy; its tag and digest stay where they are."""
    targets: dict[RenderedImage, str] = {}
    for image in images:
        try:
            copy = copies.get(Reference.parse(image.text))
        except InvalidReference:
            continue
        if copy is not None and means(
            _name(copy) + image.text[len(_name(image.text)) :], Reference.parse(copy)
        ):
            targets[image] = _name(copy)
    return targets


def _name(text: str) -> str:
    """A reference up to its tag or digest."""
    name = text.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
