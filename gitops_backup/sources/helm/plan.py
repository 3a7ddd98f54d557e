"""Which texts of a chart to change, by where marks in them come out of a rendering.

Texts that may just happen to be alike get no marks at first, because marks in them may change what the chart
does: they are tried where the others do not suffice.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.composed.compositions import Composition, Segment
from gitops_backup.sources.composed.solutions import (
    Findings,
    Plan,
    Unwritten,
    find,
    name_of,
    solutions,
    targets_of,
)
from gitops_backup.sources.helm.rendering import ChartRendering
from gitops_backup.sources.helm.search import Search
from gitops_backup.sources.helm.texts import Text
from gitops_backup.sources.helm.words import Words
from gitops_backup.sources.rendered import Rendered, RenderedImage, images_of
from gitops_backup.sources.replacements import Refused, Replacement


def make_plan(
    due: Mapping[Replacement, RenderedImage],
    *,
    rendering: ChartRendering,
    before: Sequence[Rendered],
    copies: Mapping[Reference, str],
    words: Words,
) -> Plan[Text]:
    """Which texts to change for all that is due, as far as marks tell; the likely texts are tried first.

    `before` is the rendering as it is, and `copies` has the reference of each source's verified copy.
    """
    if not due:
        return Plan()
    targets = targets_of(images_of(before), copies)
    names, wholes = {name_of(image.text) for image in targets}, {image.text for image in targets}
    search = Search(rendering.chart, rendering.inline, names=names, shared=rendering.shared)
    texts = search.texts(wholes)
    likely, contents = [text for text in texts if text.likely], rendering.chart.files.values()
    try:
        findings = find(likely, contents=contents, before=before, tried=rendering.tried)
        plan = solutions(due, findings=findings, targets=targets, words=words)
    except Unwritten as error:
        return _without_marks(due, texts=texts, targets=targets, words=words, problem=error.message)
    refused = {due[each.replacement] for each in plan.refused}
    texts += search.registries(_hosts(plan.compositions, refused))
    if not plan.refused or len(texts) == len(likely):
        return plan
    try:
        findings = find(texts, contents=contents, before=before, tried=rendering.tried)
        other = solutions(due, findings=findings, targets=targets, words=words)
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
) -> Plan[Text]:
    """What to change where a chart takes no marks: the texts that alone are an image's name, for a proof."""
    compositions: dict[RenderedImage, Composition[Text]] = {}
    for image in targets:
        spelled = _spelled(name_of(image.text), texts)
        if len(spelled) == 1:
            compositions[image] = spelled[0]
    plan = solutions(due, findings=Findings(compositions), targets=targets, words=words)
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


def _hosts(
    compositions: Mapping[RenderedImage, Composition[Text]], refused: AbstractSet[RenderedImage]
) -> Mapping[Text, str]:
    """The hosts that are put before a text, where that is always the same one.

    A template itself does so, or, of images that are refused, another text, which may be that of many others.
    """
    hosts: dict[Text, set[str]] = {}
    for image, composition in compositions.items():
        last = next(reversed(composition.segments), None)
        if last is not None and last.end == len(composition.name):
            host, slash, rest = composition.name[: last.start].partition("/")
            alone = composition.segments == (last,) or image in refused
            hosts.setdefault(last.piece, set()).add(host if alone and slash and not rest else "")
    return {text: found.pop() for text, found in hosts.items() if len(found) == 1 and found != {""}}
