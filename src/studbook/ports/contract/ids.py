"""What every Ids must do. Subclass `IdsContract`, override the fixture `ids`."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from ..ids import Ids


class IdsContract:
    """The promises of the port."""

    @pytest.fixture
    def ids(self) -> Ids:
        """The source under test."""
        raise NotImplementedError

    def test_a_writer_id_is_a_portable_file_name(self, ids: Ids) -> None:
        for _ in range(50):
            assert re.fullmatch(r"[a-z0-9-]{1,64}", ids.writer())

    def test_writer_ids_sort_by_creation(self, ids: Ids) -> None:
        created = [ids.writer() for _ in range(500)]
        assert created == sorted(created)

    def test_a_nonce_is_sixteen_hexadecimal_digits_or_more(self, ids: Ids) -> None:
        for _ in range(50):
            assert re.fullmatch(r"[0-9a-f]{16,}", ids.nonce())

    def test_nothing_is_given_twice(self, ids: Ids) -> None:
        def some(_: int) -> list[str]:
            return [given() for _ in range(200) for given in (ids.writer, ids.nonce)]

        with ThreadPoolExecutor(4) as pool:
            given = [one for ones in pool.map(some, range(4)) for one in ones]
        assert len(set(given)) == len(given) == 1600
