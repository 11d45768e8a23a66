"""Where records and manifests lie, whatever broke off before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.artifact_placement import (
    attempt_path,
    is_record_path,
    newest_attempts,
    superseded,
)
from studbook.ports.contract.artifact_store import make_manifest

RECORD = "studbook/records/lineage.json"


@given(st.sets(st.integers(1, 2000)))
def test_the_newest_attempts_are_those_that_were_made_and_the_plain_path(attempts: set[int]) -> None:
    listed = [attempt_path(RECORD, attempt) for attempt in attempts]
    wanted = [attempt_path(RECORD, attempt) for attempt in sorted(attempts | {1}, reverse=True)]
    assert list(newest_attempts(RECORD, listed)) == wanted


@pytest.mark.parametrize(
    "other", [f"{RECORD}.a02", f"{RECORD}.a002.json", f"{RECORD}.b002", "a002", f"x/{RECORD}.a002"]
)
def test_what_only_looks_like_an_attempt_is_none(other: str) -> None:
    assert newest_attempts(RECORD, [other]) == (RECORD,)


@pytest.mark.parametrize(
    ("path", "is_record"),
    [
        (RECORD, True),
        ("studbook/spill/0a1b", True),
        ("studbook/manifests/model.json", False),
        ("studbook.json", False),
        ("model/studbook/records/a.json", False),
    ],
)
def test_records_are_what_lies_in_the_reserved_folder_and_is_no_manifest(path: str, is_record: bool) -> None:
    assert is_record_path(path) is is_record


def test_a_manifest_supersedes_all_before_it_and_no_other() -> None:
    first, other = make_manifest("model", {"a": b"a"}), make_manifest("logs/train", {"a": b"a"})
    third = first.model_copy(update={"revision": 3})
    assert superseded([third, other]) == {
        "studbook/manifests/model.json",
        "studbook/manifests/model.a002.json",
    }
