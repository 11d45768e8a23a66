"""One figure of a benchmark: what was measured, against what, and the bar that is set for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from .measure import Samples, ratios, typical


class Unit(StrEnum):
    """What a figure counts."""

    TIMES_THE_COST = "x the cost"
    TIMES_FASTER = "x faster"
    PERCENT = "%"
    SECONDS = "s"
    MILLISECONDS = "ms"
    BYTES = "bytes"
    MEGABYTES = "MB"


class Bar(StrEnum):
    """Which side of a bar is good."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


_BETTER = {Unit.TIMES_FASTER: Bar.AT_LEAST}


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of `samples`, one a round; without any, nothing was measured. `detail` tells the durations that the
    figure comes from, or why there is none.
    """

    what: str
    unit: Unit
    samples: tuple[float, ...]
    detail: str = ""
    bar: float | None = None

    @property
    def value(self) -> float | None:
        """The median; None when nothing was measured."""
        return median(self.samples) if self.samples else None

    @property
    def side(self) -> Bar:
        """Which side of the bar is good."""
        return _BETTER.get(self.unit, Bar.AT_MOST)

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without a bar, or a value."""
        if self.bar is None or self.value is None:
            return None
        return self.value >= self.bar if self.side is Bar.AT_LEAST else self.value <= self.bar

    def line(self) -> str:
        """For people."""
        if self.value is None:
            return f"{self.what}: not measured; {self.detail}"
        low, high = min(self.samples), max(self.samples)
        text = f"{self.what}: {_short(self.value)} {self.unit} ({_short(low)} to {_short(high)})"
        if self.bar is not None:
            text += f"; bar {self.side} {_short(self.bar)}: {'met' if self.met else 'MISSED'}"
        return f"{text}; {self.detail}" if self.detail else text

    def document(self) -> dict[str, object]:
        """For programs."""
        return {
            "what": self.what,
            "value": self.value,
            "unit": str(self.unit),
            "samples": list(self.samples),
            "bar": None if self.bar is None else {"side": str(self.side), "value": self.bar},
            "met": self.met,
            "detail": self.detail,
        }


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def cost(
    what: str,
    ours: Samples,
    theirs: Samples,
    bar: float | None = None,
    *,
    named: tuple[str, str] = ("studbook", "peer"),
) -> Figure:
    """How many times the peer's time ours is."""
    detail = f"{named[0]} {typical(ours)}, {named[1]} {typical(theirs)}"
    return Figure(what, Unit.TIMES_THE_COST, tuple(ratios(ours, theirs)), detail, bar)


def speedup(what: str, ours: Samples, theirs: Samples, bar: float | None = None) -> Figure:
    """How many times faster than the peer we are."""
    detail = f"studbook {typical(ours)}, peer {typical(theirs)}"
    return Figure(what, Unit.TIMES_FASTER, tuple(ratios(theirs, ours)), detail, bar)


def not_measured(what: str, unit: Unit, why: str) -> Figure:
    """A figure that could not be had here."""
    return Figure(what, unit, (), why)
