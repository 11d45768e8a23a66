from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.keys import TrialKey
from studbook.domain.seeds import derive, fold_seed, rank_seed, refit_seed, sampler_seed, trial_seed
from studbook.domain.study import SeedPolicy

TRIAL = TrialKey("tk3:" + "0" * 64)


@given(st.integers(), st.lists(st.text(max_size=5) | st.integers()))
def test_derived_seed_fits_every_generator_and_repeats(base: int, labels: list[str | int]) -> None:
    assert 0 <= derive(base, *labels) < 2**31
    assert derive(base, *labels) == derive(base, *labels)


def test_every_use_has_its_own_seed() -> None:
    policy = SeedPolicy.derived(7)
    seeds = [
        trial_seed(policy, TRIAL),
        refit_seed(policy, TRIAL),
        fold_seed(policy, TRIAL, 0),
        fold_seed(policy, TRIAL, 1),
        sampler_seed(policy, 0),
        sampler_seed(policy, 1),
        sampler_seed(policy, 0, worker=1),
        trial_seed(SeedPolicy.derived(8), TRIAL),
        trial_seed(policy, TrialKey("tk3:" + "1" * 64)),
        rank_seed(7, 0),
        rank_seed(7, 1),
    ]
    assert len(set(seeds)) == len(seeds)


def test_fixed_policy_gives_its_base_to_trainings_and_varies_the_sampler() -> None:
    policy = SeedPolicy.fixed(42)
    assert {trial_seed(policy, TRIAL), refit_seed(policy, TRIAL), fold_seed(policy, TRIAL, 3)} == {42}
    assert sampler_seed(policy, 5) == sampler_seed(SeedPolicy.derived(42), 5)


def test_policy_none_gives_no_seed() -> None:
    policy = SeedPolicy.none()
    assert trial_seed(policy, TRIAL) is None
    assert refit_seed(policy, TRIAL) is None
    assert fold_seed(policy, TRIAL, 0) is None
    assert sampler_seed(policy, 0) is None
    assert rank_seed(None, 3) is None
