"""The values that an Application itself sets for a chart: over those of all files, parameters over the rest.

They are tried where the renderer takes them, as options. What is then to stay is written where the
Application says it, and read from there again, and has to be what was tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gitops_backup.errors import one_line
from gitops_backup.sources.content import KeyIsNoText, content_of
from gitops_backup.sources.documents import File, InvalidManifest
from gitops_backup.sources.helm.texts import How, Text, line_in, with_scalars
from gitops_backup.sources.inline.layers import Layers, Way, shown
from gitops_backup.sources.inline.texts import CannotWrite
from gitops_backup.sources.insertion import insert
from gitops_backup.sources.rendering import HelmOptions


@dataclass(frozen=True, slots=True)
class InlineValues:
    """What an Application says of a chart's values, and how they are tried.

    Keys that are missing are added as a `last_resort` only.
    """

    layers: Layers
    options: HelmOptions
    last_resort: bool = False

    @property
    def field(self) -> str:
        """The field of the block that has the values, or would have."""
        return self.layers.source.helm.values_field or "valuesObject"

    @property
    def takes_keys(self) -> bool:
        """Whether keys can be added to them that are nowhere else."""
        if not self.last_resort:
            return False
        if self.field == "values":
            return self._problem(("helm", "values")) is None
        return self.layers.home(("helm", self.field)) is not None

    @property
    def takes_over(self) -> bool:
        """Whether keys can be added to them that overrule what a value file from elsewhere says.

        That is done beside the source itself. A text of values would be replaced as a whole.
        """
        return self.field == "valuesObject" and self.layers.own is not None

    def problem(self, text: Text) -> str | None:
        """Why a text cannot be changed."""
        return self._problem(self.way(text))

    def _problem(self, way: Way) -> str | None:
        try:
            self.layers.refuse_unwritable(way)
        except CannotWrite as error:
            return error.message
        return None

    def way(self, text: Text) -> Way:
        """Where a text is in the source."""
        if text.how == How.PARAMETER:
            return "helm", "parameters", self._number(text.path), "value"
        return ("helm", "values") if self.field == "values" else ("helm", self.field, *text.keys)

    def line(self, text: Text) -> tuple[str, int]:
        """The file that a text is in, or would be, and its line; no path where it is in no file."""
        way = self.way(text)
        if text.how == How.ADDED and self.layers.line(way) is None:
            return self.layers.home(way) or "", 0
        while way:
            found = self.layers.line(way)
            if found is not None:
                break
            way = way[:-1]
        path, line = found if found is not None else ("", 0)
        if path and way == ("helm", "values"):
            inside = line_in(text._replace(path=""), self.options.values.encode())
            line += inside if self.layers.is_block(way) else 0
        return path, line

    def field_of(self, text: Text) -> str:
        """What a text is called in the Application."""
        place = self.layers.source.helm.place
        if text.how == How.PARAMETER:
            return f"{place}.parameters[{one_line(text.path)}]"
        return f"{place}.{self.field}.{shown(text.keys)}"

    def tried(self, texts: Mapping[Text, str]) -> HelmOptions:
        """The options with other texts.

        Raises `InvalidManifest`, `ProofFailed` and `CannotInsert`.
        """
        parameters = list(self.options.parameters)
        for text, new in texts.items():
            if text.how == How.PARAMETER:
                number = max(n for n, each in enumerate(parameters) if each.name == text.path)
                parameters[number] = replace(parameters[number], value=new)
        values = with_scalars("", self.options.values.encode(), _only(texts, How.INLINE))
        for text, new in _only(texts, How.ADDED).items():
            values = insert("", values, keys=[str(key) for key in text.keys], value=new)
        return replace(self.options, parameters=tuple(parameters), values=values.decode())

    def written(self, texts: Mapping[Text, str]) -> "InlineValues":
        """The same with other texts, in files.

        Raises `CannotWrite`, and what `tried` raises.
        """
        options = self.tried(texts)
        if self.field == "values":
            changes = {self.way(text): new for text, new in _only(texts, How.PARAMETER).items()}
            if options.values != self.options.values:
                changes["helm", "values"] = options.values
            layers = self.layers.changed(changes, {})
        else:
            added = {self.way(text): new for text, new in _only(texts, How.ADDED).items()}
            changes = {self.way(text): new for text, new in texts.items() if text.how != How.ADDED}
            layers = self.layers.changed(changes, added)
        block = layers.source.helm
        if block.parameters != options.parameters or not _alike(block.values, options.values):
            raise CannotWrite("what would be written is not what was tried")
        return replace(self, layers=layers, options=replace(options, values=block.values))

    def _number(self, name: str) -> int:
        """The number of the last parameter of a name, as the source has them."""
        said = self.layers.source.specification["helm"]["parameters"]
        return max(n for n, each in enumerate(said) if isinstance(each, Mapping) and each.get("name") == name)


def _only(texts: Mapping[Text, str], how: How) -> dict[Text, str]:
    return {text: new for text, new in texts.items() if text.how == how}


def _alike(one: str, other: str) -> bool:
    """Whether two documents of values say the same."""
    return _said(one) == _said(other)


def _said(values: str) -> object:
    try:
        return [content_of(document.root) for document in File.read("", values.encode()).documents()]
    except (InvalidManifest, KeyIsNoText) as error:
        raise CannotWrite(str(error)) from error
