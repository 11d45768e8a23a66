"""The contract of attempt claims finds what it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from studbook.adapters.memory.attempt_claims import MemoryAttemptClaims
from studbook.ports.attempt_claims import AttemptClaims
from studbook.ports.contract.attempt_claims import AttemptClaimsContract


class _GivesWhatIsAskedFor:
    def claim(self, subject: bytes, attempt: int) -> int:
        del subject
        return attempt


class _OneCounterForAll:
    def __init__(self) -> None:
        self._last = 0

    def claim(self, subject: bytes, attempt: int) -> int:
        del subject
        self._last = max(self._last + 1, attempt)
        return self._last


def _forgets() -> Callable[[], AttemptClaims]:
    return MemoryAttemptClaims


def _same(claims: AttemptClaims) -> Callable[[], AttemptClaims]:
    return lambda: claims


def _tests() -> Iterator[Callable[[Callable[[], AttemptClaims]], None]]:
    suite = AttemptClaimsContract()
    for name in dir(suite):
        if name.startswith("test_"):
            yield getattr(suite, name)


@pytest.mark.parametrize(
    "planted",
    [lambda: _same(_GivesWhatIsAskedFor()), lambda: _same(_OneCounterForAll()), _forgets],
    ids=["gives what is asked for", "one counter for all", "forgets"],
)
def test_a_planted_bug_is_found(planted: Callable[[], Callable[[], AttemptClaims]]) -> None:
    found = 0
    for test in _tests():
        try:
            test(planted())
        except AssertionError:
            found += 1
    assert found
