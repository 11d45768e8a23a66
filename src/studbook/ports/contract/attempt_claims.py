"""What every AttemptClaims adapter keeps."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ..attempt_claims import AttemptClaims

_SUBJECT = b'{"trial":"tk3:1"}'


class AttemptClaimsContract:
    """Subclass it, and give the fixture `open_claims`."""

    @pytest.fixture
    def open_claims(self) -> Callable[[], AttemptClaims]:
        """Opens the claims of one fresh home, again at every call."""
        raise NotImplementedError

    def test_a_free_attempt_is_claimed_as_it_is(self, open_claims: Callable[[], AttemptClaims]) -> None:
        assert open_claims().claim(_SUBJECT, 1) == 1
        assert open_claims().claim(b"other", 7) == 7

    def test_a_taken_attempt_gives_the_next_free_one(self, open_claims: Callable[[], AttemptClaims]) -> None:
        claims = open_claims()
        assert [claims.claim(_SUBJECT, attempt) for attempt in (1, 3, 1, 1, 3)] == [1, 3, 2, 4, 5]

    def test_claims_are_known_when_opened_again(self, open_claims: Callable[[], AttemptClaims]) -> None:
        open_claims().claim(_SUBJECT, 1)
        assert open_claims().claim(_SUBJECT, 1) == 2

    def test_subjects_do_not_take_each_others_numbers(self, open_claims: Callable[[], AttemptClaims]) -> None:
        claims = open_claims()
        assert [claims.claim(b"subject %d" % number, 1) for number in range(50)] == [1] * 50

    def test_no_number_is_given_twice(self, open_claims: Callable[[], AttemptClaims]) -> None:
        opened = [open_claims() for _ in range(4)]
        with ThreadPoolExecutor(8) as pool:
            given = list(pool.map(lambda i: opened[i % 4].claim(_SUBJECT, 1), range(80)))
        assert sorted(given) == list(range(1, 81))
