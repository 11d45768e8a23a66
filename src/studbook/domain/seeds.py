"""Seeds: derived from one base by what they are for, so that a repeat of the same work repeats its seed."""

from __future__ import annotations

import hashlib

from .canonical import canonical
from .keys import TrialKey
from .study import SeedPolicy


def derive(base: int, *labels: str | int) -> int:
    """A seed from 0 to 2³¹ - 1: the first four bytes of SHA-256 over base and labels, sign bit off."""
    digest = hashlib.sha256(canonical(["seed", base, *labels])).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


def sampler_seed(policy: SeedPolicy, existing: int, worker: int = 0) -> int | None:
    """The sampler's seed, when `existing` trials are there: a resume does not draw the same points again."""
    return None if policy.base is None else derive(policy.base, "sampler", existing, worker)


def trial_seed(policy: SeedPolicy, trial: TrialKey) -> int | None:
    """The seed of a trial's training; the same for every attempt."""
    return _seed(policy, "trial", trial)


def fold_seed(policy: SeedPolicy, trial: TrialKey, index: int) -> int | None:
    """The seed of one fold's training."""
    return _seed(policy, "fold", trial, index)


def refit_seed(policy: SeedPolicy, trial: TrialKey) -> int | None:
    """The seed of the trial's refit."""
    return _seed(policy, "refit", trial)


def rank_seed(seed: int | None, rank: int) -> int | None:
    """The seed of one rank of a distributed training that was given `seed`."""
    return None if seed is None else derive(seed, "rank", rank)


def _seed(policy: SeedPolicy, *labels: str | int) -> int | None:
    if policy.base is None or policy.kind == "fixed":
        return policy.base
    return derive(policy.base, *labels)
