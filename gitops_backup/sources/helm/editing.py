"""A chart in a repository: the texts that its images are made of are found by rendering, and edited.

The chart is rendered as it is. Then it is rendered with a mark in every text that may be part of an image's
name, each mark its own: where they come out says how each image is put together, and from where. From that
follows which texts to change (`plan`), and a third rendering shows whether images become their copies
and nothing else changes (`composed.proof`).

What the Application sets itself overrides what files of values say; it is written where the Application is
in a file. Custom resource definitions that lie in the chart's folder for them are not rendered: no value
changes them. Helm's tests are not, either: Argo CD does not run them.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.composed.proof import Proof
from gitops_backup.sources.helm.charts import read_chart
from gitops_backup.sources.helm.inline import InlineValues
from gitops_backup.sources.helm.options import HelmBlock
from gitops_backup.sources.helm.plan import make_plan
from gitops_backup.sources.helm.rendering import ChartRendering
from gitops_backup.sources.helm.value_files import UnusableChart
from gitops_backup.sources.helm.words import Words
from gitops_backup.sources.rendered import InvalidRendering, Rendered
from gitops_backup.sources.rendered_proof import asked, with_asked
from gitops_backup.sources.rendering import HelmOptions, RenderFailed
from gitops_backup.sources.replacements import Refused, Replacement, ShapeResult
from gitops_backup.sources.sites import Site


def edit_chart(
    replacements: Sequence[Replacement],
    site: Site,
    options: HelmBlock,
    *,
    copies: Mapping[Reference, str],
    shared: AbstractSet[str] = frozenset(),
) -> ShapeResult:
    """What is to change in a chart and its values for these replacements.

    `options` are the Application's own. The site has the files that `files_of_chart` names, and `copies` the
    reference of each source's verified copy. Value files that are `shared` with other Applications get
    keys that they do not have only where there is no other place for these.

    Of `images` in the result, those are listed that change.
    """
    try:
        rendering = _rendering(site, options, shared=shared)
    except UnusableChart as error:
        return _all_refused(replacements, error.reason, error.message)
    source = site.layout.name or f"the chart in {one_line(site.folder) or 'the root of the repository'}"
    try:
        before = rendering.as_it_is()
    except (RenderFailed, InvalidRendering) as error:
        message = f"{source} cannot be rendered: {error.message}"
        return _all_refused(replacements, Reason.RENDER_FAILED, message)
    sorted_out = asked(replacements, before, source=source)
    copies = with_asked(copies, sorted_out.due)
    words = Words(rendering.chart, source, rendering.inline)
    plan = make_plan(sorted_out.due, rendering=rendering, before=before, copies=copies, words=words)
    proof = Proof(
        before=before,
        copies=copies,
        compositions=plan.compositions,
        change=rendering.changed,
        again=partial(rendering.as_it_is, again=True),
        place=words.place,
        order=lambda text: (text.path, *map(str, text.keys)),
    )
    result = proof.of(plan.solved)
    return ShapeResult(
        edits=result.edits,
        replaced=result.replaced,
        done=sorted_out.done,
        refused=(*sorted_out.refused, *plan.refused, *result.refused),
        images=result.images,
    )


def render_chart(site: Site, options: HelmBlock, *, again: bool = False) -> tuple[Rendered, ...]:
    """What Argo CD would render of a chart; with `again`, even if that was rendered before.

    Raises `UnusableChart`, `RenderFailed` and `InvalidRendering`.
    """
    rendering = _rendering(site, options)
    return rendering.as_it_is(again=again)


def _rendering(site: Site, options: HelmBlock, *, shared: AbstractSet[str] = frozenset()) -> ChartRendering:
    chart = read_chart(site.layout, options=options, tree=site.tree, contents=site.contents)
    asking = HelmOptions(
        release=options.release or site.release,
        namespace=options.namespace or site.namespace,
        value_files=chart.value_files,
        values=options.values,
        parameters=options.parameters,
        file_parameters=chart.file_parameters,
        skip_crds=True,
        skip_schema_validation=options.skip_schema_validation,
        skip_tests=True,
        kube_version=options.kube_version,
        api_versions=options.api_versions,
    )
    return ChartRendering(
        chart=chart,
        inline=InlineValues(site.layers, asking, last_resort=site.last_resort),
        namespace=site.namespace,
        renderer=site.renderer,
        shared=shared,
    )


def _all_refused(replacements: Sequence[Replacement], reason: Reason, message: str) -> ShapeResult:
    return ShapeResult(refused=tuple(Refused(each, reason, message) for each in replacements))
