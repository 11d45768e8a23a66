"""What a migration says at its end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """What is to be done in one experiment: its runs by status, and how many of them have no whole copy yet."""

    name: str
    runs: dict[str, int]
    to_copy: int


@dataclass(frozen=True, slots=True)
class NotCopied:
    """A run that the destination does not take, or the source does not give."""

    run_id: str
    experiment: str
    problem: str
    cure: str


@dataclass(frozen=True, slots=True)
class Copied:
    """What copying did: runs that were written, those that were whole before, and those that could not be."""

    copied: int
    already: int
    failed: tuple[NotCopied, ...]


@dataclass(frozen=True, slots=True)
class ExperimentCounts:
    """The runs of one experiment by status, counted on both sides."""

    name: str
    source: dict[str, int]
    destination: dict[str, int]


@dataclass(frozen=True, slots=True)
class RunDifference:
    """A run whose copy is not one. `copy_id` is None where there is none, `run_id` where only a copy is."""

    run_id: str | None
    copy_id: str | None
    experiment: str
    what: tuple[str, ...]
    source_digest: str | None = None
    destination_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """Both sides, read back. The digests are over all runs that both hold, in the source's order."""

    experiments: tuple[ExperimentCounts, ...]
    runs: int
    source_digest: str
    destination_digest: str
    differences: tuple[RunDifference, ...]

    @property
    def equal(self) -> bool:
        """Whether the destination holds the source's runs, all of them, as they are."""
        return not self.differences
