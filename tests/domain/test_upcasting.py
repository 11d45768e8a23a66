"""Events of older schemas become events of the current one, version by version."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.events import SCHEMA_VERSION
from studbook.domain.upcasting import CURRENT_SCHEMA, EventSchema, RawEvent, Upcaster


def _appends(number: int) -> Upcaster:
    def upcast(event: RawEvent) -> RawEvent:
        passed = event["passed"]
        assert isinstance(passed, list)
        return {**event, "passed": [*passed, number]}

    return upcast


@given(st.integers(1, 6).flatmap(lambda version: st.tuples(st.just(version), st.integers(1, version))))
def test_an_event_passes_every_version_after_its_own_once_and_in_order(versions: tuple[int, int]) -> None:
    newest, version = versions
    schema = EventSchema(newest, {n: _appends(n) for n in range(1, newest)})
    event: RawEvent = {"kind": "Any", "passed": []}
    before = copy.deepcopy(event)
    assert schema.upcast(event, version) == {"kind": "Any", "passed": list(range(version, newest))}
    assert event == before


@pytest.mark.parametrize("known", [set(), {1}, {2}, {1, 2, 3}, {0, 1, 2}])
def test_a_schema_with_a_version_left_out_cannot_be_made(known: set[int]) -> None:
    with pytest.raises(ValueError, match="version 3 needs"):
        EventSchema(3, {n: _appends(n) for n in known})


def test_the_schema_that_is_read_is_the_one_that_is_written() -> None:
    assert CURRENT_SCHEMA.version == SCHEMA_VERSION
