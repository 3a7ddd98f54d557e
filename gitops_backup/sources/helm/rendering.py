"""A chart as it is rendered for one Application, with its texts or with others."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from gitops_backup.sources.composed.proof import Changed
from gitops_backup.sources.composed.solutions import Unwritten
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.helm.charts import Chart
from gitops_backup.sources.helm.inline import InlineValues
from gitops_backup.sources.helm.texts import Text, written
from gitops_backup.sources.helm.words import where
from gitops_backup.sources.inline.texts import CannotWrite
from gitops_backup.sources.insertion import CannotInsert
from gitops_backup.sources.proof import ProofFailed
from gitops_backup.sources.rendered import Documents, InvalidRendering, Rendered, read_rendering
from gitops_backup.sources.rendering import Files, HelmOptions, Renderer, RenderFailed


@dataclass(frozen=True, slots=True)
class ChartRendering:
    """The chart, the Application's own values of it, and the namespace that it deploys to.

    `shared` are value files that keys are added to last; `known` is what was read of renderings before.
    """

    chart: Chart
    inline: InlineValues
    namespace: str
    renderer: Renderer
    shared: AbstractSet[str]
    known: Documents = field(default_factory=dict)

    def of(self, files: Files, options: HelmOptions, *, again: bool = False) -> tuple[Rendered, ...]:
        """The objects of the chart with these files. Raises `RenderFailed` or `InvalidRendering`."""
        output = self.renderer.helm(files, self.chart.folder, options, again=again)
        return read_rendering(output, namespace=self.namespace, known=self.known)

    def as_it_is(self, *, again: bool = False) -> tuple[Rendered, ...]:
        """The objects of the chart. Raises `RenderFailed` or `InvalidRendering`."""
        return self.of(self.chart.files, self.inline.options, again=again)

    def tried(self, names: Mapping[Text, str]) -> tuple[Rendered, ...]:
        """The objects of the chart with other names in texts. Raises `Unwritten`."""
        texts = _renamed(names)
        try:
            return self.of(self._files(texts), self.inline.tried(_inline(texts)))
        except _FAILURES as error:
            raise Unwritten(error.message) from error

    def changed(self, names: Mapping[Text, str]) -> Changed[Text]:
        """The chart with other names in texts, written. Raises `Unwritten`."""
        texts = _renamed(names)
        try:
            files, own = self._files(texts), _inline(texts)
            inline = self.inline.written(own) if own else self.inline
            objects = self.of(files, inline.options)
        except _FAILURES as error:
            raise Unwritten(error.message) from error
        return Changed(
            objects, self._edits(files, inline), lambda text: where(text, self.chart, inline, files)
        )

    def _files(self, texts: Mapping[Text, str]) -> Files:
        return written(self.chart, {text: new for text, new in texts.items() if not text.inline})

    def _edits(self, files: Files, inline: InlineValues) -> dict[str, bytes]:
        of_files = {p: content for p, content in files.items() if content != self.chart.files[p]}
        of_values = inline.layers.contents.items() - self.inline.layers.contents.items()
        origins = self.chart.origins
        return {origins.get(path, path): content for path, content in (*of_files.items(), *of_values)}


def _renamed(names: Mapping[Text, str]) -> dict[Text, str]:
    return {text: text.renamed(name) for text, name in names.items()}


def _inline(texts: Mapping[Text, str]) -> dict[Text, str]:
    return {text: new for text, new in texts.items() if text.inline}


_FAILURES = (RenderFailed, InvalidRendering, InvalidManifest, ProofFailed, CannotInsert, CannotWrite)
