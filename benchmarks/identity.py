"""Keys: many trials of a study, and canonicalisation by the size of its input."""

from __future__ import annotations

import hashlib
from pathlib import Path

import rfc8785
from pydantic import JsonValue

from studbook.domain.canonical import canonical
from studbook.domain.keys import StudyKey
from studbook.domain.search_space import SearchSpace, choice, float_range, int_range
from studbook.domain.trial import trial_key

from .figure import Figure, Unit, cost
from .measure import in_turns, timed

_TRIALS = 100_000
_SPACE = SearchSpace.parse(
    {
        "C": float_range(0, 1000),
        "kernel": choice("rbf", "linear", "poly"),
        "depth": int_range(0, _TRIALS),
        "bagging": choice(True, False),
    }
)
_BASE_ITEMS = 8  # about 1 KB


def run(_folder: Path) -> list[Figure]:
    """Trial keys against bare RFC 8785 and SHA-256, and time per byte as the input grows."""
    return [*_trial_keys(), *_growth()]


def _trial_keys() -> list[Figure]:
    study = StudyKey.of({"name": "bench"})
    points: list[dict[str, JsonValue]] = [
        {"C": 0.001 * number, "kernel": "rbf", "depth": number, "bagging": True} for number in range(_TRIALS)
    ]

    def ours() -> None:
        for params in points:
            trial_key(study, params)

    def bare() -> None:
        for params in points:
            payload: JsonValue = {"kind": "tk3", "payload": {"study": study, "params": params}}
            hashlib.sha256(rfc8785.dumps(payload)).hexdigest()

    def typed() -> None:
        for params in points:
            trial_key(study, _SPACE.typed(params))

    keys, floor, whole = in_turns([timed(ours), timed(bare), timed(typed)], rounds=3)
    return [
        Figure(f"{_TRIALS:,} trial keys", Unit.SECONDS, tuple(keys)),
        Figure(f"{_TRIALS:,} trial keys, params typed by their space first", Unit.SECONDS, tuple(whole)),
        cost("against bare rfc8785.dumps and sha256", keys, floor, named=("studbook", "bare")),
    ]


def _growth() -> list[Figure]:
    tasks, sizes = [], []
    for factor in (1, 10, 100):
        value = _value(_BASE_ITEMS * factor)
        size = len(canonical(value))
        repeats = max(1, 200 // factor)

        def work(value: JsonValue = value, repeats: int = repeats) -> None:
            for _ in range(repeats):
                canonical(value)

        tasks.append(timed(work, repeats * size))
        sizes.append(size)
    base, *larger = in_turns(tasks, rounds=5)
    return [
        cost(
            f"canonical form, time per byte, {size:,} bytes against {sizes[0]:,}",
            samples,
            base,
            named=("larger", "smaller"),
        )
        for samples, size in zip(larger, sizes[1:], strict=True)
    ]


def _value(items: int) -> JsonValue:
    return {
        f"layer_{number}": {
            "width": 64 + number,
            "rate": number / 7,
            "act": "gelu",
            "taps": [number, "x", None],
        }
        for number in range(items)
    }
