"""What every Sampler must do.

Subclass `SamplerContract`, override the fixture `new_sampler`, and let pytest collect it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import JsonValue

from ...domain.errors import InvalidInput, MetricValueInvalid, StudyInvalid, SweepError, TrialParamsInvalid
from ...domain.search_space import DynamicSpace, SearchSpace, choice, fixed, float_range, int_range
from ...domain.study import Objective, StudyDefinition, maximize, minimize
from ..sampler import Proposal, SampledStudy, SampledTrial, Sampler, TrialState
from .search_spaces import search_spaces

NewSampler = Callable[[str], Sampler]

_SPACE = SearchSpace.parse(
    {
        "lr": float_range(1e-5, 1e-1, log=True),
        "momentum": float_range(0, 0.9, step=0.1),
        "depth": int_range(2, 64, log=True),
        "width": int_range(16, 256, step=16),
        "optimizer": choice("sgd", "adam", None),
        "layers": choice([8], [8, 8], {"wide": True}),
        "flag": choice(True, 1, 0),
        "seed_words": fixed(["a", 1]),
    }
)
_SMALL = SearchSpace.parse({"width": int_range(16, 256, step=16), "optimizer": choice("sgd", "adam", [1])})
_ROUNDS = 12  # more than the random start of samplers that learn
_MEDIAN = {"algorithm": "median", "options": {"n_startup_trials": 2}}


def study(
    space: SearchSpace | DynamicSpace = _SPACE, *objectives: Objective, name: str = "contract", **fields: Any
) -> StudyDefinition:
    """A study of one objective to maximize, unless told otherwise."""
    chosen = objectives or (maximize("score"),)
    return StudyDefinition(name=name, objectives=chosen, space=space, **fields)


class SamplerContract:
    """The promises of the port.

    `new_sampler(place)` is a sampler as a process would build it anew; one place is one storage, and an
    unknown place is an empty one. A slow storage may draw a smaller `share_of_examples` of search spaces.
    """

    share_of_examples = 1.0

    @pytest.fixture
    def new_sampler(self) -> NewSampler:
        """Builds the samplers under test."""
        raise NotImplementedError

    def test_proposals_lie_in_the_space_and_have_its_types(self, new_sampler: NewSampler) -> None:
        revisions = count()
        examples = max(1, round(settings().max_examples * self.share_of_examples))

        @settings(max_examples=examples)
        @given(search_spaces())
        def property_of(space: SearchSpace) -> None:
            opened = new_sampler("a").open(study(space, revision=str(next(revisions))), 7)
            for _ in range(3):
                proposal = _asked(opened)
                _check_typed(space, proposal)
                opened.complete(proposal.number, [0.5], {})
            opened.close()

        property_of()

    def test_proposals_after_many_told_values_are_typed_too(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(_SMALL), 1)
        for _ in range(_ROUNDS):
            proposal = _asked(opened)
            _check_typed(_SMALL, proposal)
            opened.complete(proposal.number, [_score(proposal)], {})

    def test_numbers_count_up_from_zero(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        assert [_asked(opened).number for _ in range(4)] == [0, 1, 2, 3]
        opened.fail(3, {})
        assert _asked(opened).number == 4

    def test_equal_seeds_propose_the_same_when_told_in_order(self, new_sampler: NewSampler) -> None:
        assert _searched(new_sampler("a"), 11) == _searched(new_sampler("b"), 11)

    def test_another_seed_proposes_something_else(self, new_sampler: NewSampler) -> None:
        first = [_asked(new_sampler(f"at {seed}").open(study(), seed)).params for seed in (11, 12, 13)]
        assert len({repr(params) for params in first}) == 3

    def test_without_a_seed_it_searches_too(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), None)
        _check_typed(_SPACE, _asked(opened))

    def test_every_end_is_read_back(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        proposals = [_asked(opened) for _ in range(4)]
        opened.prune(1, {"trial_key": "tk3:b", "attempt": "2"})
        opened.complete(0, [0.25], {"trial_key": "tk3:a"})
        opened.fail(2, {})
        trials = opened.trials()
        assert [trial.number for trial in trials] == [0, 1, 2, 3]
        assert [trial.params for trial in trials] == [proposal.params for proposal in proposals]
        assert [trial.state for trial in trials] == [
            TrialState.COMPLETE,
            TrialState.PRUNED,
            TrialState.FAILED,
            TrialState.RUNNING,
        ]
        assert [trial.values for trial in trials] == [(0.25,), None, None, None]
        assert trials[0].attributes == {"trial_key": "tk3:a"}
        assert trials[1].attributes == {"trial_key": "tk3:b", "attempt": "2"}
        assert trials[2].attributes == trials[3].attributes == {}

    def test_a_pruned_point_has_no_value_even_if_it_reported(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        _asked(opened)
        opened.report(0, 0.5, 1)
        opened.prune(0, {})
        assert opened.trials()[0].values is None

    def test_telling_the_same_end_twice_is_one_end(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        for _ in range(3):
            _asked(opened)
        for _ in range(2):
            opened.complete(0, [0.5], {"run_key": "first"})
            opened.prune(1, {})
            opened.fail(2, {})
        assert [trial.values for trial in opened.trials()] == [(0.5,), None, None]
        assert opened.trials()[0].attributes == {"run_key": "first"}

    def test_an_end_is_final(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        _asked(opened)
        opened.complete(0, [0.5], {})
        with pytest.raises(SweepError):
            opened.complete(0, [0.75], {})
        with pytest.raises(SweepError):
            opened.prune(0, {})
        with pytest.raises(SweepError):
            opened.fail(0, {})
        with pytest.raises(SweepError):
            opened.report(0, 0.5, 1)
        assert opened.trials()[0].values == (0.5,)

    def test_an_unknown_number_is_refused(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        _asked(opened)
        for unknown in (1, -1):
            with pytest.raises(SweepError):
                opened.complete(unknown, [0.5], {})
            with pytest.raises(SweepError):
                opened.report(unknown, 0.5, 1)

    def test_what_is_not_finite_is_refused_and_the_point_goes_on(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        _asked(opened)
        for value in (math.inf, -math.inf, math.nan):
            with pytest.raises(MetricValueInvalid):
                opened.complete(0, [value], {})
            with pytest.raises(MetricValueInvalid):
                opened.report(0, value, 1)
        assert opened.trials()[0].state is TrialState.RUNNING
        opened.complete(0, [0.5], {})

    def test_a_value_for_each_objective_is_demanded(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        _asked(opened)
        for values in ([], [0.5, 0.5]):
            with pytest.raises(InvalidInput):
                opened.complete(0, values, {})

    def test_steps_increase(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        _asked(opened)
        opened.report(0, 0.5, 3)
        for step in (3, 2, -1):
            with pytest.raises(InvalidInput):
                opened.report(0, 0.5, step)

    def test_several_objectives_are_told_in_order(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(_SPACE, maximize("score"), minimize("latency")), 1)
        for number in range(3):
            _asked(opened)
            assert not opened.should_prune(number)
            opened.complete(number, [number / 2, 10.0 - number], {})
        assert [trial.values for trial in opened.trials()] == [(0.0, 10.0), (0.5, 9.0), (1.0, 8.0)]

    def test_a_resumed_study_has_the_same_trials_and_goes_on_counting(self, new_sampler: NewSampler) -> None:
        first = new_sampler("a").open(study(), 1)
        for number in range(3):
            _asked(first)
            first.complete(number, [number / 4], {"trial_key": f"tk3:{number}"})
        _asked(first)
        before = first.trials()
        first.close()
        second = new_sampler("a").open(study(), 2)
        assert second.trials() == before
        assert _asked(second).number == 4

    def test_a_point_that_a_dead_process_left_running_can_be_ended(self, new_sampler: NewSampler) -> None:
        first = new_sampler("a").open(study(), 1)
        for _ in range(3):
            _asked(first)
        first.close()
        second = new_sampler("a").open(study(), 2)
        second.fail(0, {"reason": "lost"})
        second.report(1, 0.5, 1)
        second.complete(1, [0.5], {})
        second.prune(2, {})
        states = [trial.state for trial in second.trials()]
        assert states == [TrialState.FAILED, TrialState.COMPLETE, TrialState.PRUNED]
        assert second.trials()[0].attributes == {"reason": "lost"}

    def test_points_from_elsewhere_are_taken_over_under_the_next_numbers(
        self, new_sampler: NewSampler
    ) -> None:
        first = new_sampler("a").open(study(), 1)
        for _ in range(4):
            _asked(first)
        first.complete(0, [0.5], {"trial_key": "tk3:a"})
        first.prune(2, {})
        first.fail(3, {"reason": "lost"})
        ended = [trial for trial in first.trials() if trial.state is not TrialState.RUNNING]
        second = new_sampler("b").open(study(), 1)
        assert [second.add(trial) for trial in ended] == [0, 1, 2]
        assert second.trials() == tuple(replace(trial, number=n) for n, trial in enumerate(ended))
        assert _asked(second).number == 3
        second.close()
        assert new_sampler("b").open(study(), 1).trials()[:3] == second.trials()[:3]

    def test_only_ended_points_of_the_space_are_taken_over(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(_SMALL), 1)
        params: dict[str, JsonValue] = {"width": 32, "optimizer": "sgd"}
        ended = SampledTrial(0, params, TrialState.COMPLETE, (0.5,), {})
        for wrong, error in (
            (replace(ended, state=TrialState.RUNNING, values=None), InvalidInput),
            (replace(ended, values=None), InvalidInput),
            (replace(ended, values=(0.5, 0.5)), InvalidInput),
            (replace(ended, values=(math.inf,)), MetricValueInvalid),
            (replace(ended, params={"width": 33, "optimizer": "sgd"}), TrialParamsInvalid),
            (replace(ended, params={"width": 32}), TrialParamsInvalid),
        ):
            with pytest.raises(error):
                opened.add(wrong)
        assert opened.trials() == ()

    def test_a_grid_does_not_propose_what_was_taken_over(self, new_sampler: NewSampler) -> None:
        space = SearchSpace.parse({"a": int_range(1, 4), "b": choice(True, 1)})
        opened = new_sampler("a").open(study(space, sampling={"algorithm": "grid"}), 1)
        for a, b in ((3, True), (2, 1)):
            opened.add(SampledTrial(9, {"a": a, "b": b}, TrialState.FAILED, None, {}))
        rest = []
        while (proposal := opened.ask()) is not None:
            rest.append((proposal.params["a"], repr(proposal.params["b"])))
        assert sorted(rest) == [(1, "1"), (1, "True"), (2, "True"), (3, "1"), (4, "1"), (4, "True")]

    def test_other_studies_and_other_places_are_not_mixed_up(self, new_sampler: NewSampler) -> None:
        sampler = new_sampler("a")
        _asked(sampler.open(study(), 1))
        assert sampler.open(study(revision="2"), 1).trials() == ()
        assert new_sampler("b").open(study(), 1).trials() == ()
        assert len(sampler.open(study(name="renamed", model_family="contract"), 1).trials()) == 1

    def test_a_clearly_bad_point_is_pruned(self, new_sampler: NewSampler) -> None:
        for objective, good, bad in ((maximize("score"), 0.9, 0.1), (minimize("loss"), 0.1, 0.9)):
            opened = new_sampler(objective.metric).open(study(_SMALL, objective, pruning=_MEDIAN), 1)
            _complete_with_reports(opened, [good, good, good])
            judged = _asked(opened).number
            assert not opened.should_prune(judged)
            opened.report(judged, bad, 1)
            assert opened.should_prune(judged)
            better = _asked(opened).number
            opened.report(better, good, 1)
            assert not opened.should_prune(better)

    def test_nothing_is_pruned_without_a_pruner(self, new_sampler: NewSampler) -> None:
        for place, pruning in (("null", None), ("none", {"algorithm": "none"})):
            opened = new_sampler(place).open(study(_SMALL, pruning=pruning), 1)
            _complete_with_reports(opened, [0.9, 0.9, 0.9])
            judged = _asked(opened).number
            opened.report(judged, 0.0, 1)
            assert not opened.should_prune(judged)

    def test_a_grid_proposes_every_point_once_and_then_none(self, new_sampler: NewSampler) -> None:
        space = SearchSpace.parse({"a": int_range(1, 5, step=2), "b": choice("x", None, [1]), "c": fixed(0)})
        opened = new_sampler("a").open(study(space, sampling={"algorithm": "grid"}), 1)
        seen = []
        for _ in range(4):
            proposal = _asked(opened)
            seen.append(repr(sorted(proposal.params.items())))
            opened.complete(proposal.number, [0.5], {})
        opened.close()
        opened = new_sampler("a").open(study(space, sampling={"algorithm": "grid"}), 99)
        while (rest := opened.ask()) is not None:
            seen.append(repr(sorted(rest.params.items())))
            if len(seen) % 2:
                opened.complete(rest.number, [0.5], {})
        assert len(seen) == len(set(seen)) == 9
        assert opened.ask() is None

    def test_a_range_without_a_step_has_no_grid(self, new_sampler: NewSampler) -> None:
        space = SearchSpace.parse({"lr": float_range(0, 1)})
        with pytest.raises(StudyInvalid):
            new_sampler("a").open(study(space, sampling={"algorithm": "grid"}), 1)

    def test_what_it_cannot_honour_is_refused(self, new_sampler: NewSampler) -> None:
        refused: tuple[dict[str, Any], ...] = (
            {"sampling": {"algorithm": "no_such_algorithm"}},
            {"sampling": {"algorithm": "tpe", "options": {"no_such_option": 1}}},
            {"pruning": {"algorithm": "no_such_pruner"}},
            {"pruning": {"algorithm": "median", "options": {"no_such_option": 1}}},
        )
        for fields in refused:
            with pytest.raises(StudyInvalid) as caught:
                new_sampler("a").open(study(**fields), 1)
            assert caught.value.cure
        with pytest.raises(StudyInvalid):
            new_sampler("a").open(study(DynamicSpace(revision="1")), 1)

    def test_what_is_handed_out_is_a_copy(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        proposal = _asked(opened)
        before = repr(proposal.params)
        words = proposal.params["seed_words"]
        assert isinstance(words, list)
        words.append("mine")
        proposal.params["depth"] = -1
        opened.trials()[0].params["width"] = -1
        opened.trials()[0].attributes["mine"] = "1"
        assert repr(opened.trials()[0].params) == before
        assert opened.trials()[0].attributes == {}

    def test_closing_twice_is_fine(self, new_sampler: NewSampler) -> None:
        opened = new_sampler("a").open(study(), 1)
        _asked(opened)
        opened.close()
        opened.close()


def _asked(opened: SampledStudy) -> Proposal:
    proposal = opened.ask()
    assert proposal is not None
    return proposal


def _check_typed(space: SearchSpace, proposal: Proposal) -> None:
    # By repr: True is no 1 and 16.0 is no 16 here.
    assert repr(proposal.params) == repr(space.typed(proposal.params))


def _score(proposal: Proposal) -> float:
    width = proposal.params["width"]
    assert isinstance(width, int)
    return width / 256


def _searched(sampler: Sampler, seed: int) -> list[str]:
    """What a search proposes that is told each value before it is asked again."""
    opened = sampler.open(study(_SMALL), seed)
    proposals = []
    for _ in range(_ROUNDS):
        proposal = _asked(opened)
        proposals.append(repr(proposal))
        opened.complete(proposal.number, [_score(proposal)], {})
    return proposals


def _complete_with_reports(opened: SampledStudy, values: list[float]) -> None:
    for value in values:
        number = _asked(opened).number
        for step in (1, 2):
            opened.report(number, value, step)
        opened.complete(number, [value], {})
