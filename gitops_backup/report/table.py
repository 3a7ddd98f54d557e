"""The report as text for people: what is next for each container, which images have a copy, and why not.

In a pipe every row is one line. On a terminal, rows are no wider than it is.
"""

from collections.abc import Sequence

from gitops_backup.domain.planning import Action, Route
from gitops_backup.errors import count, one_line
from gitops_backup.report.columns import Cell, columns, folded
from gitops_backup.report.model import ContainerReport, ImageReport, Place, Report, Standing
from gitops_backup.report.sentences import numbers, problems, reasons

_RED, _GREEN, _YELLOW, _CYAN, _FAINT = "31", "32", "33", "36", "2"
_COLOURS = {
    Standing.SETTLED: _GREEN,
    Standing.DUE: _CYAN,
    Standing.COMING: _CYAN,
    Standing.WAITING: _YELLOW,
    Standing.BLOCKED: _RED,
    Standing.LEFT_ALONE: _FAINT,
}
_WORDS = {Standing.WAITING: "wait", Standing.BLOCKED: "blocked", Standing.LEFT_ALONE: "left alone"}
_SHOWN_OF_A_COMMIT = 12
_LONGEST_TEXT = 2000


def render(report: Report, *, width: int | None, colours: bool) -> str:
    """The report as text; `width` is in characters, None for lines as long as they need to be."""
    text = _Text(report, width, colours)
    said = (text.reasons(), text.repositories(), text.problems(), text.summary())
    blocks = (text.containers(), text.images(), text.along(), *said)
    return "\n".join("\n".join([*block, ""]) for block in blocks if block)


class _Text:
    def __init__(self, report: Report, width: int | None, colours: bool) -> None:
        self._report = report
        self._width = width
        self._colours = colours
        self._rows = [(w.key, container) for w in report.workloads for container in w.containers]
        places = {_branch(container.place) for _, container in self._rows if container.place is not None}
        self._numbers = {branch: number for number, branch in enumerate(sorted(places), start=1)}

    def containers(self) -> list[str]:
        rows = [
            (
                str(key),
                f"{container.name} (init)" if container.init else container.name,
                container.image,
                self._cell(self._next(container), _COLOURS[container.standing]),
            )
            for key, container in self._rows
        ]
        return self._columns(("WORKLOAD", "CONTAINER", "IMAGE", "NEXT"), rows)

    def images(self) -> list[str]:
        rows = [
            (
                image.image,
                self._cell(_state(image), _GREEN if image.verified else _YELLOW),
                str(image.workloads),
                image.backup,
            )
            for image in self._report.images
        ]
        return self._columns(("IMAGE", "COPY", "WORKLOADS", "BACKUP"), rows)

    def along(self) -> list[str]:
        rows = (
            (f"{each.kind} {each.namespace}/{each.name}", each.place, each.image, each.becomes)
            for each in self._report.along
        )
        # the same of several Applications is told once
        return self._columns(("ALSO CHANGES", "WHERE", "IMAGE", "BECOMES"), list(dict.fromkeys(rows)))

    def reasons(self) -> list[str]:
        lines: list[str] = []
        for why in reasons(self._report):
            workloads = count(len(why.workloads), "workload")
            lines += self._folded(f"{why.reason}, {workloads}: {why.message}")
            lines += self._folded(why.remedy, indent="  ")
        return lines

    def repositories(self) -> list[str]:
        return [
            f"[{number}] {repository} {branch} at {commit[:_SHOWN_OF_A_COMMIT]}"
            for (repository, branch, commit), number in self._numbers.items()
        ]

    def problems(self) -> list[str]:
        return [line for problem in problems(self._report) for line in self._folded(f"! {problem}")]

    def summary(self) -> list[str]:
        return [line for sentence in numbers(self._report) for line in self._folded(sentence)]

    def _columns(self, head: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> list[str]:
        return columns(head, rows, width=self._width) if rows else []

    def _folded(self, text: str, indent: str = "") -> list[str]:
        line = one_line(text, limit=_LONGEST_TEXT)
        lines = folded(line, self._width - len(indent)) if self._width is not None else [line]
        return [indent + line for line in lines]

    def _cell(self, text: str, colour: str) -> Cell:
        return Cell(text, colour if self._colours else "")

    def _next(self, container: ContainerReport) -> str:
        """In a phrase: the steps to come, and what is in their way."""
        steps: list[str] = []
        if container.action in {Action.COPY, Action.ADOPT}:
            steps = [container.action]
        elif container.action == Action.WAIT and container.standing != Standing.WAITING:
            steps = [f"wait: {container.reason}" if container.then is not None else "wait"]
        if container.then is not None:
            steps.append(self._rewrite(container))
        elif container.standing in _WORDS:
            steps.append(f"{_WORDS[container.standing]}: {container.reason}")
        first, *rest = steps or [container.action]
        return ", then ".join([first[:1].upper() + first[1:], *rest])

    def _rewrite(self, container: ContainerReport) -> str:
        place = container.place
        if container.then == Route.PATCH or place is None:
            return "patch" if container.then == Route.PATCH else "commit"
        file = f"{'the new file ' if place.new else ''}{place.path}:{place.line}"
        return f"commit to [{self._numbers[_branch(place)]}] {file}"


def _branch(place: Place) -> tuple[str, str, str]:
    return place.repository, place.branch, place.commit


def _state(image: ImageReport) -> str:
    if image.verified:
        return "Verified"
    return "Unverified" if image.state == "DONE" else image.state.capitalize()
