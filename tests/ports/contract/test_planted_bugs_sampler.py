"""Samplers that break one promise each, and the tests of the contract that must notice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import Phase, settings

from studbook.adapters.memory.sampler import MemorySampler
from studbook.domain.errors import StudbookError, SweepError
from studbook.domain.study import StudyDefinition
from studbook.ports.contract.sampler import NewSampler, SamplerContract
from studbook.ports.contract.violations import violations
from studbook.ports.sampler import Proposal, SampledStudy, SampledTrial, Sampler


@pytest.fixture(autouse=True)
def _first_example_is_enough() -> Iterator[None]:
    """Do not shrink what a broken sampler does: that it is noticed is all we ask."""
    before = settings.get_current_profile_name()
    settings.register_profile("noticed", settings(), phases=[Phase.generate])
    settings.load_profile("noticed")
    yield
    settings.load_profile(before)


class Faithful:
    """Passes everything on; the planted bugs below change one thing."""

    def __init__(self, inner: SampledStudy, study: StudyDefinition) -> None:
        self.inner = inner
        self.study = study

    def ask(self) -> Proposal | None:
        return self.inner.ask()

    def report(self, number: int, value: float, step: int) -> None:
        self.inner.report(number, value, step)

    def should_prune(self, number: int) -> bool:
        return self.inner.should_prune(number)

    def complete(self, number: int, values: Sequence[float], attributes: Mapping[str, str]) -> None:
        self.inner.complete(number, values, attributes)

    def prune(self, number: int, attributes: Mapping[str, str]) -> None:
        self.inner.prune(number, attributes)

    def fail(self, number: int, attributes: Mapping[str, str]) -> None:
        self.inner.fail(number, attributes)

    def add(self, trial: SampledTrial) -> int:
        return self.inner.add(trial)

    def trials(self) -> tuple[SampledTrial, ...]:
        return self.inner.trials()

    def close(self) -> None:
        self.inner.close()


class GivesFloatsForInts(Faithful):
    def ask(self) -> Proposal | None:
        proposal = self.inner.ask()
        if proposal is None:
            return None
        floats = {
            name: float(value) if type(value) is int else value for name, value in proposal.params.items()
        }
        return replace(proposal, params=floats)


class ForgetsFixedParams(Faithful):
    def ask(self) -> Proposal | None:
        proposal = self.inner.ask()
        if proposal is None:
            return None
        sampled = {
            name: value
            for name, value in proposal.params.items()
            if self.study.space[name].type != "fixed"  # type: ignore[index]
        }
        return replace(proposal, params=sampled)


class CountsFromOne(Faithful):
    def ask(self) -> Proposal | None:
        proposal = self.inner.ask()
        return None if proposal is None else replace(proposal, number=proposal.number + 1)


class TakesAnyNumber(Faithful):
    def complete(self, number: int, values: Sequence[float], attributes: Mapping[str, str]) -> None:
        bounded = [min(max(value, -1e300), 1e300) for value in values]
        self.inner.complete(number, bounded, attributes)


class RefusesToHearTwice(Faithful):
    told: set[int]

    def complete(self, number: int, values: Sequence[float], attributes: Mapping[str, str]) -> None:
        ended = {trial.number for trial in self.inner.trials() if trial.values is not None}
        if number in ended:
            raise SweepError("told twice", cure="do not")
        self.inner.complete(number, values, attributes)


class IgnoresASecondEnd(Faithful):
    def prune(self, number: int, attributes: Mapping[str, str]) -> None:
        try:
            self.inner.prune(number, attributes)
        except StudbookError:
            return


class LosesAttributes(Faithful):
    def fail(self, number: int, attributes: Mapping[str, str]) -> None:
        self.inner.fail(number, {})


class AddsUnderTheOldNumber(Faithful):
    def add(self, trial: SampledTrial) -> int:
        self.inner.add(trial)
        return trial.number


class SwapsObjectives(Faithful):
    def complete(self, number: int, values: Sequence[float], attributes: Mapping[str, str]) -> None:
        self.inner.complete(number, list(reversed(values)), attributes)


class AlwaysPrunes(Faithful):
    def should_prune(self, number: int) -> bool:
        return True


class NeverPrunes(Faithful):
    def should_prune(self, number: int) -> bool:
        return False


class SharesItsState(Faithful):
    def __init__(self, inner: SampledStudy, study: StudyDefinition) -> None:
        super().__init__(inner, study)
        self.known: dict[int, Proposal] = {}

    def ask(self) -> Proposal | None:
        proposal = self.inner.ask()
        if proposal is not None:
            self.known[proposal.number] = proposal
        return proposal

    def trials(self) -> tuple[SampledTrial, ...]:
        return tuple(
            replace(trial, params=self.known[trial.number].params) if trial.number in self.known else trial
            for trial in self.inner.trials()
        )


class BrokenSampler:
    def __init__(self, broken: Callable[[SampledStudy, StudyDefinition], SampledStudy]) -> None:
        self._inner = MemorySampler()
        self._broken = broken

    def open(self, study: StudyDefinition, seed: int | None) -> SampledStudy:
        return self._broken(self._inner.open(study, seed), study)


class IgnoresTheSeed:
    def __init__(self) -> None:
        self._inner = MemorySampler()

    def open(self, study: StudyDefinition, seed: int | None) -> SampledStudy:
        return self._inner.open(study, None)


class ForgetsStudies:
    def open(self, study: StudyDefinition, seed: int | None) -> SampledStudy:
        return MemorySampler().open(study, seed)


class IgnoresWhatItDoesNotKnow:
    def __init__(self) -> None:
        self._inner = MemorySampler()

    def open(self, study: StudyDefinition, seed: int | None) -> SampledStudy:
        try:
            return self._inner.open(study, seed)
        except StudbookError:
            return self._inner.open(study.model_copy(update={"sampling": type(study.sampling)()}), seed)


def in_places(sampler: Callable[[], Sampler]) -> Callable[[], NewSampler]:
    def storages() -> NewSampler:
        places: dict[str, Sampler] = defaultdict(sampler)
        return places.__getitem__

    return storages


@pytest.mark.parametrize(
    ("broken", "noticed"),
    [
        (GivesFloatsForInts, "test_proposals_lie_in_the_space_and_have_its_types"),
        (ForgetsFixedParams, "test_proposals_lie_in_the_space_and_have_its_types"),
        (CountsFromOne, "test_numbers_count_up_from_zero"),
        (TakesAnyNumber, "test_what_is_not_finite_is_refused_and_the_point_goes_on"),
        (RefusesToHearTwice, "test_telling_the_same_end_twice_is_one_end"),
        (IgnoresASecondEnd, "test_an_end_is_final"),
        (LosesAttributes, "test_a_point_that_a_dead_process_left_running_can_be_ended"),
        (AddsUnderTheOldNumber, "test_points_from_elsewhere_are_taken_over_under_the_next_numbers"),
        (SwapsObjectives, "test_several_objectives_are_told_in_order"),
        (AlwaysPrunes, "test_nothing_is_pruned_without_a_pruner"),
        (NeverPrunes, "test_a_clearly_bad_point_is_pruned"),
        (SharesItsState, "test_what_is_handed_out_is_a_copy"),
    ],
)
def test_the_contract_notices_a_broken_study(broken: type[Faithful], noticed: str) -> None:
    new_sampler = in_places(lambda: BrokenSampler(broken))
    assert noticed in violations(SamplerContract(), new_sampler=new_sampler)


@pytest.mark.parametrize(
    ("broken", "noticed"),
    [
        (IgnoresTheSeed, "test_equal_seeds_propose_the_same_when_told_in_order"),
        (ForgetsStudies, "test_a_resumed_study_has_the_same_trials_and_goes_on_counting"),
        (IgnoresWhatItDoesNotKnow, "test_what_it_cannot_honour_is_refused"),
    ],
)
def test_the_contract_notices_a_broken_sampler(broken: Callable[[], Sampler], noticed: str) -> None:
    assert noticed in violations(SamplerContract(), new_sampler=in_places(broken))


def test_the_contract_has_nothing_against_a_faithful_one() -> None:
    assert violations(SamplerContract(), new_sampler=in_places(lambda: BrokenSampler(Faithful))) == set()
