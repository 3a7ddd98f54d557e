"""A chart in a repository: the texts that its images are made of are found by rendering, and edited.

The chart is rendered as it is. Then it is rendered with a mark in every text that may be part of an image's
name, each mark its own: where they come out says how each image is put together, and from where. From that
follows which texts to change, and a third rendering shows whether images become their copies and nothing else
changes. Texts that are only alike are left out of the second rendering unless the others do not suffice,
because marks in them may change what the chart does.

What the live Application sets itself overrides what a file says, and is not written here. Custom resource
definitions that lie in the chart's folder for them are not rendered: no value changes them. Helm's tests are
not, either: Argo CD does not run them.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.chart_texts import How, Search, Text, line_in, written
from gitops_backup.sources.charts import Chart, read_chart
from gitops_backup.sources.compositions import Composition, NoCopy, NotWritable, Segment, solve
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.helm_options import HelmBlock
from gitops_backup.sources.insertion import CannotInsert
from gitops_backup.sources.marks import Marks
from gitops_backup.sources.proof import ProofFailed
from gitops_backup.sources.rendered import (
    Documents,
    InvalidRendering,
    Rendered,
    RenderedImage,
    images_of,
    read_rendering,
)
from gitops_backup.sources.rendered_proof import NotExplained, asked, means, proven
from gitops_backup.sources.rendering import Files, HelmOptions, Renderer, RenderFailed
from gitops_backup.sources.replacements import ImageUse, Refused, Replaced, Replacement, ShapeResult
from gitops_backup.sources.trees import Tree
from gitops_backup.sources.value_files import UnusableChart

_MOST_GROUPS = 8
"""How many groups of images are proven one by one when all together are not."""


def edit_chart(
    replacements: Sequence[Replacement],
    *,
    folder: str,
    options: HelmBlock,
    release: str,
    namespace: str,
    tree: Tree,
    contents: Files,
    renderer: Renderer,
    copies: Mapping[Reference, str],
    refs: AbstractSet[str] = frozenset(),
    shared: AbstractSet[str] = frozenset(),
    foreign: Files | None = None,
) -> ShapeResult:
    """What is to change in a chart and its values for these replacements.

    `release` is the Application's name, `namespace` the one that it deploys to; `refs` names those of its
    sources that are on the same commit of the same repository. `contents` has the files that
    `files_of_chart` names, and `copies` the reference of each source's verified copy. Value files that are
    `shared` with other Applications get no keys that they do not have. Where a chart is from elsewhere, and
    only values are in the repository, `foreign` has the chart's files by their paths in its own folder, and
    `folder` is its name.

    Of `images` in the result, those are listed that change.
    """
    try:
        rendering = _rendering(
            folder=folder,
            options=options,
            release=release,
            namespace=namespace,
            tree=tree,
            contents=contents,
            renderer=renderer,
            refs=refs,
            shared=shared,
            foreign=foreign,
        )
    except UnusableChart as error:
        return _all_refused(replacements, error.reason, error.message)
    where = f"the chart in {one_line(folder) or 'the root of the repository'}"
    source = where if foreign is None else f"the chart {one_line(folder)}"
    try:
        before = rendering.of(rendering.chart.files, rendering.options)
    except (RenderFailed, InvalidRendering) as error:
        message = f"{source} cannot be rendered: {error.message}"
        return _all_refused(replacements, Reason.RENDER_FAILED, message)
    sorted_out = asked(replacements, before, source=source)
    copies = {**copies, **{each.old: each.new for each in sorted_out.due}}
    plan = _plan(sorted_out.due, rendering, before, copies, words=_Words(rendering.chart, source, options))
    result = _Proof(rendering, before, copies, plan.compositions).of(plan.solved)
    return ShapeResult(
        edits=result.edits,
        replaced=result.replaced,
        done=sorted_out.done,
        refused=(*sorted_out.refused, *plan.refused, *result.refused),
        images=result.images,
    )


def render_chart(
    *,
    folder: str,
    options: HelmBlock,
    release: str,
    namespace: str,
    tree: Tree,
    contents: Files,
    renderer: Renderer,
    refs: AbstractSet[str] = frozenset(),
    foreign: Files | None = None,
    again: bool = False,
) -> tuple[Rendered, ...]:
    """What Argo CD would render of a chart; with `again`, even if that was rendered before.

    Raises `UnusableChart`, `RenderFailed` and `InvalidRendering`.
    """
    rendering = _rendering(
        folder=folder,
        options=options,
        release=release,
        namespace=namespace,
        tree=tree,
        contents=contents,
        renderer=renderer,
        refs=refs,
        foreign=foreign,
    )
    return rendering.of(rendering.chart.files, rendering.options, again=again)


def _rendering(
    *,
    folder: str,
    options: HelmBlock,
    release: str,
    namespace: str,
    tree: Tree,
    contents: Files,
    renderer: Renderer,
    refs: AbstractSet[str],
    foreign: Files | None,
    shared: AbstractSet[str] = frozenset(),
) -> "_Rendering":
    chart = read_chart(folder, options=options, tree=tree, contents=contents, refs=refs, foreign=foreign)
    asking = HelmOptions(
        release=options.release or release,
        namespace=options.namespace or namespace,
        value_files=chart.value_files,
        values=options.values,
        parameters=options.parameters,
        skip_crds=True,
        skip_schema_validation=options.skip_schema_validation,
        skip_tests=True,
        kube_version=options.kube_version,
        api_versions=options.api_versions,
    )
    return _Rendering(chart, asking, namespace, renderer, shared)


@dataclass(frozen=True, slots=True)
class _Rendering:
    """The chart as it is rendered for the Application."""

    chart: Chart
    options: HelmOptions
    namespace: str
    renderer: Renderer
    shared: AbstractSet[str]
    known: Documents = field(default_factory=dict)

    def of(self, files: Files, options: HelmOptions, *, again: bool = False) -> tuple[Rendered, ...]:
        """The objects of the chart with these files. Raises `RenderFailed` or `InvalidRendering`."""
        output = self.renderer.helm(files, self.chart.folder, options, again=again)
        return read_rendering(output, namespace=self.namespace, known=self.known)

    def changed(self, texts: Mapping[Text, str]) -> tuple[Files, tuple[Rendered, ...]]:
        """The files and the objects of the chart with other texts. Raises `_Unwritten`."""
        try:
            files, options = written(self.chart, self.options, texts)
            return files, self.of(files, options)
        except (RenderFailed, InvalidRendering, InvalidManifest, ProofFailed, CannotInsert) as error:
            raise _Unwritten(error.message) from error


class _Unwritten(GitopsBackupError):
    """Texts cannot be written, or not be rendered."""


class _NotProven(GitopsBackupError):
    """An edit does not do what it should, and nothing else."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Solved:
    """A replacement, and the names that texts get for it."""

    replacement: Replacement
    image: RenderedImage
    names: Mapping[Text, str]


@dataclass(frozen=True, slots=True)
class _Plan:
    solved: Sequence[_Solved] = ()
    refused: Sequence[Refused] = ()
    compositions: Mapping[RenderedImage, Composition[Text]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Findings:
    """Where texts come out: in images, and, for some, also where something else than an image stands."""

    compositions: Mapping[RenderedImage, Composition[Text]]
    strays: Mapping[Text, str]


def _plan(
    due: Mapping[Replacement, RenderedImage],
    rendering: _Rendering,
    before: Sequence[Rendered],
    copies: Mapping[Reference, str],
    *,
    words: "_Words",
) -> _Plan:
    """Which texts to change for all that is due, as far as marks tell; the likely texts are tried first."""
    if not due:
        return _Plan()
    targets = _targets(images_of(before), copies)
    names, wholes = {_name(image.text) for image in targets}, {image.text for image in targets}
    search = Search(rendering.chart, rendering.options, names=names, shared=rendering.shared)
    texts = search.texts(wholes)
    likely = [text for text in texts if text.likely]
    try:
        plan = _solutions(due, _findings(likely, rendering, before), targets, words)
    except _Unwritten as error:
        return _without_marks(due, texts, targets, words, problem=error.message)
    texts += search.registries(_hosts(plan.compositions.values()))
    if not plan.refused or len(texts) == len(likely):
        return plan
    try:
        other = _solutions(due, _findings(texts, rendering, before), targets, words)
    except _Unwritten:
        return plan
    return other if len(other.solved) > len(plan.solved) else plan


def _without_marks(
    due: Mapping[Replacement, RenderedImage],
    texts: Sequence[Text],
    targets: Mapping[RenderedImage, str],
    words: "_Words",
    *,
    problem: str,
) -> _Plan:
    """What to change where a chart takes no marks: the texts that alone are an image's name, for a proof."""
    compositions: dict[RenderedImage, Composition[Text]] = {}
    for image in targets:
        spelled = _spelled(_name(image.text), texts)
        if len(spelled) == 1:
            compositions[image] = spelled[0]
    plan = _solutions(due, _Findings(compositions, {}), targets, words)
    message = f"{words.source} cannot be rendered with another image: {problem}"
    refused = [Refused(each.replacement, Reason.PROOF_FAILED, message) for each in plan.refused]
    return replace(plan, refused=refused)


def _spelled(name: str, texts: Sequence[Text]) -> list[Composition[Text]]:
    """The ways to put a name together of one of these texts, or of two that stand side by side."""
    host, _, rest = name.partition("/")
    files = [text for text in texts if text.writable]
    found = [Composition(name, (Segment(each, 0, len(name)),)) for each in files if each.name == name]
    for first in files:
        for second in files:
            beside = (first.path, first.keys[:-1]) == (second.path, second.keys[:-1])
            if beside and (first.name, second.name) == (host, rest):
                segments = Segment(first, 0, len(host)), Segment(second, len(host) + 1, len(name))
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


def _findings(texts: Sequence[Text], rendering: _Rendering, before: Sequence[Rendered]) -> _Findings:
    """Where these texts come out. Raises `_Unwritten` where that cannot be rendered."""
    marks = Marks([*rendering.chart.files.values(), *(image.text.encode() for image in images_of(before))])
    marked = {text: text.renamed(text.name + marks.mark(number)) for number, text in enumerate(texts)}
    after = rendering.changed(marked)[1]
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
    findings: _Findings,
    targets: Mapping[RenderedImage, str],
    words: "_Words",
) -> _Plan:
    compositions = findings.compositions
    solved: list[_Solved] = []
    refused: list[Refused] = []
    names: Mapping[Text, str] = {}
    pieces = {segment.piece for each in compositions.values() for segment in each.segments}
    fixed = frozenset(piece for piece in pieces if not piece.writable or piece in findings.strays)
    for replacement, image in due.items():
        try:
            found = solve(image, compositions, targets, changed=names, fixed=fixed)
        except NoCopy as error:
            refused.append(
                Refused(replacement, Reason.BACKUP_PENDING, words.no_copy(error.piece, error.user))
            )
        except NotWritable as error:
            refused.append(words.not_writable(replacement, image, findings, error.user))
        else:
            own = {segment.piece for segment in compositions[image].segments}
            new = {text: name for text, name in found.items() if text in own or text not in names}
            solved.append(_Solved(replacement, image, new))
            names = found
    return _Plan(solved, refused, compositions)


@dataclass(frozen=True, slots=True)
class _Proof:
    """Edits, rendered and compared."""

    rendering: _Rendering
    before: Sequence[Rendered]
    copies: Mapping[Reference, str]
    compositions: Mapping[RenderedImage, Composition[Text]]

    def of(self, solved: Sequence[_Solved]) -> ShapeResult:
        """The edits that stand: all at once, or else those that stand beside the ones before."""
        if not solved:
            return ShapeResult()
        try:
            return self._result(solved)
        except _NotProven as error:
            groups = _groups(solved)
            if len(groups) == 1 or len(groups) > _MOST_GROUPS:
                return _all_refused([each.replacement for each in solved], error.reason, error.message)
        good: list[_Solved] = []
        refused: list[Refused] = []
        result = ShapeResult()
        for group in groups:
            try:
                result = self._result([*good, *group])
                good += group
            except _NotProven as error:
                refused += [Refused(each.replacement, error.reason, error.message) for each in group]
        return replace(result, refused=tuple(refused))

    def _result(self, solved: Sequence[_Solved]) -> ShapeResult:
        """What these edits make. Raises `_NotProven`."""
        names = {text: name for each in solved for text, name in each.names.items()}
        first = min(names, key=lambda text: (text.path, text.keys and str(text.keys)))
        chart = self.rendering.chart
        try:
            files, after = self.rendering.changed({text: text.renamed(name) for text, name in names.items()})
            shown = proven(self.before, after, copies=self.copies, again=self._again)
        except NotExplained as error:
            raise _NotProven(error.reason, f"{_place(first, chart)}: {error.message}") from error
        except (_Unwritten, RenderFailed, InvalidRendering) as error:
            raise _NotProven(Reason.PROOF_FAILED, f"{_place(first, chart)}: {error.message}") from error
        for each in solved:
            if not means(shown.images.get(each.image, ""), Reference.parse(each.replacement.new)):
                message = f"{_place(first, chart)}: {each.image.text} would not become {each.replacement.new}"
                raise _NotProven(Reason.PROOF_FAILED, message)
        changed = {path: content for path, content in files.items() if content != chart.files[path]}
        uses = {image: self._use(image, now, names, files) for image, now in shown.images.items()}
        return ShapeResult(
            edits={chart.origins.get(path, path): content for path, content in changed.items()},
            replaced=tuple(self._replaced(each, uses) for each in solved),
            images=tuple(uses.values()),
        )

    def _again(self) -> tuple[Rendered, ...]:
        return self.rendering.of(self.rendering.chart.files, self.rendering.options, again=True)

    def _replaced(self, solved: _Solved, uses: Mapping[RenderedImage, ImageUse]) -> Replaced:
        own = uses[solved.image]
        also = tuple(
            use for image, use in uses.items() if image != solved.image and self._goes_with(image, solved)
        )
        return Replaced(solved.replacement, own.path, own.line, also)

    def _use(self, image: RenderedImage, now: str, names: Mapping[Text, str], files: Files) -> ImageUse:
        """An image that changes, and where: at the last text of its name that does."""
        composition = self.compositions.get(image)
        pieces = [segment.piece for segment in composition.segments] if composition is not None else []
        text = next((piece for piece in reversed(pieces) if piece in names), next(iter(names)))
        return ImageUse(
            path=self.rendering.chart.origins.get(text.path, text.path),
            line=line_in(text, files[text.path]),
            workload=image.workload,
            container=image.container,
            init=image.init,
            before=image.text,
            now=now,
        )

    def _goes_with(self, image: RenderedImage, solved: _Solved) -> bool:
        composition = self.compositions.get(image)
        if composition is None:  # in an object whose name is another each time
            return image.text == solved.image.text
        return any(segment.piece in solved.names for segment in composition.segments)


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said to people."""

    chart: Chart
    source: str
    options: HelmBlock

    def no_copy(self, text: Text, image: RenderedImage) -> str:
        """A text also feeds an image without a copy."""
        what = f"{one_line(image.text)} of {image.workload}, container {one_line(image.container)}"
        return f"{_place(text, self.chart)}, also sets {what}, of which there is no verified copy yet"

    def not_writable(
        self,
        replacement: Replacement,
        image: RenderedImage,
        findings: _Findings,
        user: RenderedImage,
    ) -> Refused:
        """Nothing that can be changed makes an image what it has to be."""
        composition = findings.compositions.get(image)
        texts = [segment.piece for segment in composition.segments] if composition is not None else []
        inline = next((text for text in texts if not text.writable), None)
        shown = one_line(image.text)
        if inline is not None:
            message = f"{self._field(inline)} of the live Application sets {one_line(inline.whole)}"
            return Refused(replacement, Reason.OVERRIDDEN, message)
        stray = next((text for text in texts if text in findings.strays), None)
        if stray is not None:
            message = f"{_place(stray, self.chart)}, is also {findings.strays[stray]}, which must not change"
            return Refused(replacement, Reason.SHARED_SCALAR, message)
        if user != image:
            other = f"{one_line(user.text)} of {user.workload}, container {one_line(user.container)}"
            message = f"{_place(texts[-1], self.chart)}, is also part of {other}, which it does not fit"
            return Refused(replacement, Reason.SHARED_SCALAR, message)
        if texts:
            message = f"{_place(texts[-1], self.chart)}, is a part of {shown} that cannot become"
            return Refused(replacement, Reason.UNSUPPORTED_SOURCE, f"{message} one of {replacement.new}")
        files = [path for path in self.chart.value_files if self.chart.is_writable(path)]
        if not files and self.chart.own_values is None:
            message = f"{self.source} has no value file in the repository that could say other than {shown}"
            return Refused(replacement, Reason.UNSUPPORTED_SOURCE, message)
        message = (
            f"{self.source} puts {shown} together where neither a value nor a line of a template names it"
        )
        return Refused(replacement, Reason.UNSUPPORTED_SOURCE, message)

    def _field(self, text: Text) -> str:
        if text.how == How.PARAMETER:
            return f"{self.options.place}.parameters[{one_line(text.path)}]"
        field = f"{self.options.place}.{self.options.values_field}"
        return f"{field}.{one_line('.'.join(map(str, text.keys)))}"


def _place(text: Text, chart: Chart) -> str:
    """Where a text stands, or would, for people."""
    path = one_line(chart.origins.get(text.path, text.path))
    if text.how == How.ADDED:
        return f"{path}, with {one_line('.'.join(map(str, text.keys)))} added"
    return f"{path}, line {line_in(text, chart.files[text.path])}"


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


def _groups(solved: Sequence[_Solved]) -> list[list[_Solved]]:
    """Those that share texts, together."""
    groups: list[tuple[set[Text], list[_Solved]]] = []
    for each in solved:
        texts, members = set(each.names), [each]
        apart = []
        for others, group in groups:
            if others & texts:
                texts |= others
                members = [*group, *members]
            else:
                apart.append((others, group))
        groups = [*apart, (texts, members)]
    return [members for _, members in groups]


def _all_refused(replacements: Sequence[Replacement], reason: Reason, message: str) -> ShapeResult:
    return ShapeResult(refused=tuple(Refused(each, reason, message) for each in replacements))
