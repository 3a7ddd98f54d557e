"""What was measured, beside its reference and its aim, and how it is printed."""

from collections.abc import Iterable
from dataclasses import dataclass

_COLUMNS = ("FIGURE", "MEASURED", "REFERENCE", "RATIO", "AIM", "MEMORY")


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table.

    `measured` and `reference` are in `unit`. `aim` is the most that may be measured, `ratio_aim` the most
    that it may be of the reference. `memory` is the largest resident size of what was measured, in MB.
    """

    what: str
    measured: float
    unit: str
    reference: float | None = None
    aim: float | None = None
    ratio_aim: float | None = None
    memory: float | None = None

    @property
    def ratio(self) -> float | None:
        """What was measured, as a part of the reference."""
        return self.measured / self.reference if self.reference else None

    @property
    def missed(self) -> bool:
        """Whether it has an aim that it does not reach."""
        too_much = self.aim is not None and self.measured > self.aim
        too_slow = self.ratio_aim is not None and self.ratio is not None and self.ratio > self.ratio_aim
        return too_much or too_slow


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one benchmark, and sentences that explain them."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


def render(measurements: Iterable[Measurement]) -> str:
    """The table of all figures, and below it the notes."""
    made = list(measurements)
    rows = [_COLUMNS, *(_row(figure) for each in made for figure in each.figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ("   ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    notes = (f"- {note}" for each in made for note in each.notes)
    return "\n".join([*padded, *notes]) + "\n"


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        figure.what,
        _amount(figure.measured, figure.unit),
        "" if figure.reference is None else _amount(figure.reference, figure.unit),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        _aim(figure),
        "" if figure.memory is None else _amount(figure.memory, "MB"),
    )


def _aim(figure: Figure) -> str:
    parts = [] if figure.ratio_aim is None else [f"ratio {figure.ratio_aim:g}"]
    parts += [] if figure.aim is None else [_amount(figure.aim, figure.unit)]
    return ", ".join(parts) + (", missed" if figure.missed else "")


def _amount(value: float, unit: str) -> str:
    number = f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
    return f"{number} {unit}"
