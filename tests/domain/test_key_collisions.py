"""A million different declarations, chosen to look alike, have a million keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from studbook.domain.canonical import canonical
from studbook.domain.keys import DataKey, EvalKey, FoldKey, Key, RunKey, StudyKey
from studbook.domain.trial import trial_key

# Values that a careless key would take for each other. Each differs from every other.
_WORDS = [
    "",
    " ",
    "a",
    "A",
    "a ",
    "aa",
    "a,a",
    '"a"',
    "null",
    "None",
    "true",
    "True",
    "0",
    "1",
    "1.0",
    "-1",
    "é",
    "e\u0301",
]
_NUMBERS = [
    0,
    1,
    -1,
    2,
    10,
    0.1,
    0.2,
    0.1 + 0.2,
    0.3,
    1e-5,
    1e-6,
    1.5,
    2**53 - 1,
    2**53,
    2**53 + 1,
    -(2**53),
    1e300,
]
_ODD: list[Any] = [
    None,
    True,
    False,
    [],
    {},
    [[]],
    [{}],
    {"": {}},
    {"a": None},
    {"$int": "1"},
    {"$set": []},
    {"$$int": "1"},
]
_NESTED = [
    [1],
    ["1"],
    [1, 2],
    [2, 1],
    [[1], 2],
    [[1, 2]],
    {"a": 1},
    {"a": "1"},
    {"b": 1},
    {"a": {"b": 1}},
    {"a.b": 1},
]
_MORE = [f"layer_{number}" for number in range(20)] + [number / 97 for number in range(1, 23)]
CONFUSABLE: list[Any] = [*_WORDS, *_NUMBERS, *_ODD, *_NESTED, *_MORE]

_STUDY = StudyKey.of({"study": 1})


def _kinds(a: Any, b: Any, c: Any) -> list[Callable[[], Key]]:
    params = {"a": a, "b": b, "c": c}
    return [
        lambda: trial_key(_STUDY, params),
        lambda: EvalKey.of({"name": "default", "version": "1", "options": params}),
        lambda: DataKey.of({"mode": "undeclared", "label_map": {"x": a}, "split": {"y": b, "z": c}}),
        lambda: FoldKey.of({"trial": "tk3:0", "index": 0, "digest": [a, [b], c]}),
        lambda: RunKey.of({"project": "p", "stage": "benchmark", "subject": {"s": params}, "attempt": 1}),
    ]


def test_no_two_different_declarations_share_a_key() -> None:
    thorough = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
    wanted = 1_000_000 if thorough else 20_000
    base = len(CONFUSABLE)
    assert len({canonical(value) for value in CONFUSABLE}) == base
    per_kind = wanted // 5
    assert per_kind <= base**3
    stride = 611_953  # prime to the number of triples, so that no triple comes twice
    digests: set[int] = set()
    for number in range(per_kind):
        index = number * stride % base**3
        triple = [CONFUSABLE[index // base**place % base] for place in range(3)]
        digests.update(int(make().hex, 16) for make in _kinds(*triple))
    assert len(digests) == per_kind * 5 == wanted
