"""A chart as it is rendered for one Application, with its texts or with others."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.helm.charts import Chart
from gitops_backup.sources.helm.inline import InlineValues
from gitops_backup.sources.helm.texts import Text, written
from gitops_backup.sources.inline.texts import CannotWrite
from gitops_backup.sources.insertion import CannotInsert
from gitops_backup.sources.proof import ProofFailed
from gitops_backup.sources.rendered import Documents, InvalidRendering, Rendered, read_rendering
from gitops_backup.sources.rendering import Files, HelmOptions, Renderer, RenderFailed


class Unwritten(GitopsBackupError):
    """Texts cannot be written, or not be rendered."""


@dataclass(frozen=True, slots=True)
class ChartRendering:
    """The chart, the Application's own values of it, and the namespace that it deploys to.

    `shared` are value files that no keys are added to; `known` is what was read of renderings before.
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

    def tried(self, texts: Mapping[Text, str]) -> tuple[Rendered, ...]:
        """The objects of the chart with other texts. Raises `Unwritten`."""
        try:
            return self.of(self._files(texts), self.inline.tried(_inline(texts)))
        except _FAILURES as error:
            raise Unwritten(error.message) from error

    def changed(self, texts: Mapping[Text, str]) -> "Changed":
        """The chart with other texts, written. Raises `Unwritten`."""
        try:
            files, own = self._files(texts), _inline(texts)
            inline = self.inline.written(own) if own else self.inline
            return Changed(files, inline, self.of(files, inline.options))
        except _FAILURES as error:
            raise Unwritten(error.message) from error

    def _files(self, texts: Mapping[Text, str]) -> Files:
        return written(self.chart, {text: new for text, new in texts.items() if not text.inline})


@dataclass(frozen=True, slots=True)
class Changed:
    """A chart with other texts: its files, the Application's values, and what is rendered of them."""

    files: Files
    inline: InlineValues
    objects: tuple[Rendered, ...]


def _inline(texts: Mapping[Text, str]) -> dict[Text, str]:
    return {text: new for text, new in texts.items() if text.inline}


_FAILURES = (RenderFailed, InvalidRendering, InvalidManifest, ProofFailed, CannotInsert, CannotWrite)
