"""A chart as it is rendered for one Application, with its texts or with others."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.helm.charts import Chart
from gitops_backup.sources.helm.insertion import CannotInsert
from gitops_backup.sources.helm.texts import Text, written
from gitops_backup.sources.proof import ProofFailed
from gitops_backup.sources.rendered import Documents, InvalidRendering, Rendered, read_rendering
from gitops_backup.sources.rendering import Files, HelmOptions, Renderer, RenderFailed


class Unwritten(GitopsBackupError):
    """Texts cannot be written, or not be rendered."""


@dataclass(frozen=True, slots=True)
class ChartRendering:
    """The chart, the options that it is rendered with, and the namespace that the Application deploys to.

    `shared` are value files that no keys are added to; `known` is what was read of renderings before.
    """

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
        """The files and the objects of the chart with other texts. Raises `Unwritten`."""
        try:
            files, options = written(self.chart, self.options, texts)
            return files, self.of(files, options)
        except (RenderFailed, InvalidRendering, InvalidManifest, ProofFailed, CannotInsert) as error:
            raise Unwritten(error.message) from error
