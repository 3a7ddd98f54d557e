"""Why an image of a chart is not written, in words for people: with the file and the line, or the field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.composed.compositions import Composition
from gitops_backup.sources.composed.words import misfit, without_copy
from gitops_backup.sources.helm.charts import Chart
from gitops_backup.sources.helm.inline import InlineValues
from gitops_backup.sources.helm.texts import How, Text, line_in, says_of
from gitops_backup.sources.rendered import RenderedImage
from gitops_backup.sources.rendering import Files
from gitops_backup.sources.replacements import Refused, Replacement


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a chart, which is called `source`."""

    chart: Chart
    source: str
    inline: InlineValues

    def place(self, text: Text) -> str:
        """Where a text stands, or would, for people."""
        path, line = where(text, self.chart, self.inline, self.chart.files)
        if not path:
            return f"{self.inline.field_of(text)} of the live Application"
        if text.how == How.ADDED:
            return f"{path}, with {one_line('.'.join(map(str, text.keys)))} added"
        return f"{path}, line {line}"

    def no_copy(self, replacement: Replacement, text: Text, image: RenderedImage) -> Refused:
        """A text also feeds an image without a copy."""
        return without_copy(replacement, image, place=self.place(text))

    def not_writable(
        self,
        replacement: Replacement,
        image: RenderedImage,
        *,
        composition: Composition[Text] | None,
        strays: Mapping[Text, str],
        user: RenderedImage,
    ) -> Refused:
        """Nothing that can be changed makes an image what it has to be: `user` is what stands against it.

        `composition` is the image's, where it is known, and `strays` say where else texts come out.
        """
        texts = [segment.piece for segment in composition.segments] if composition is not None else []
        inline = next((text for text in texts if not text.writable), None)
        shown = one_line(image.text)
        if inline is not None:
            return Refused(replacement, Reason.OVERRIDDEN, self._overridden(inline))
        wrong = misfit(
            replacement,
            image,
            composition=composition,
            strays=strays,
            user=user,
            place=self.place,
            adding="the chart",
        )
        if wrong is not None:
            return wrong
        files = [path for path in self.chart.value_files if self.chart.is_writable(path)]
        if not files and self.chart.own_values is None:
            message = f"{self.source} has no value file in the repository that could say other than {shown}"
            there = self.chart.is_writable(self.chart.folder)
            message += (
                f": {'add a values.yaml to it, or ' if there else ''}name one in helm.valueFiles of the"
            )
            message += " Application"
            return Refused(replacement, Reason.UNSUPPORTED_SOURCE, message)
        if self._comes_from_elsewhere(image):
            sets = f"a value file that {self.source} has from elsewhere sets {shown}"
            message = f"{sets}, and overrides those in the repository: {self._way_out()}"
            return Refused(replacement, Reason.UNSUPPORTED_SOURCE, message)
        message = (
            f"{self.source} puts {shown} together where neither a value nor a line of a template names it"
        )
        return Refused(replacement, Reason.UNSUPPORTED_SOURCE, message)

    def _way_out(self) -> str:
        """What to do where the Application's own values cannot overrule a value file from elsewhere."""
        way_out = "name one of the repository behind it in helm.valueFiles of the Application"
        if self.inline.field == "valuesObject":
            return way_out
        return f"{way_out}, or write its helm.values as helm.valuesObject, to which keys can be added"

    def _comes_from_elsewhere(self, image: RenderedImage) -> bool:
        """Whether an image's name is in a value file that is not in the repository, and comes after those."""
        last = image.text.partition("@")[0].rpartition("/")[2].partition(":")[0]
        above = takewhile(lambda path: not self.chart.is_writable(path), reversed(self.chart.value_files))
        said = (says_of(path, self.chart.files[path]) for path in above)
        return any(last in text for content in said for text in _texts(content))

    def _overridden(self, text: Text) -> str:
        path, line = self.inline.line(text)
        sets = f"{self.inline.field_of(text)} of the live Application sets {one_line(text.whole)}"
        if not path:
            return sets
        return f"{sets}, in {one_line(path)}, line {line}: {self.inline.problem(text)}"


def _texts(content: Any) -> Iterator[str]:
    """All texts in values, which keys are not."""
    if isinstance(content, dict | list):
        for each in content.values() if isinstance(content, dict) else content:
            yield from _texts(each)
    elif isinstance(content, str):
        yield content


def where(text: Text, chart: Chart, inline: InlineValues, files: Files) -> tuple[str, int]:
    """The path in the repository of the file that a text is in, and its line, when the files are these."""
    if text.inline:
        return inline.line(text)
    shown = chart.files if text.how == How.LITERAL else files
    return chart.origins.get(text.path, text.path), line_in(text, shown[text.path])
