from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.errors import IdentityError, InvalidInput
from studbook.domain.keys import (
    BenchmarkKey,
    ConversionKey,
    ExecKey,
    FoldKey,
    Key,
    ProtocolKey,
    RunKey,
    SpecKey,
    StudyKey,
    TrialKey,
)
from studbook.domain.run_identity import (
    RunIdentity,
    ad_hoc,
    of_benchmark,
    of_conversion,
    of_final_training,
    of_fold,
    of_pointer,
    of_refit,
    of_selection,
    of_sweep,
    of_trial,
)
from studbook.domain.stage import Stage

K = TypeVar("K", bound=Key)


def key(kind: type[K], digit: str = "0") -> K:
    return kind(f"{kind.KIND}:{digit * 64}")


def identities(project: str = "demo", attempt: int = 1) -> list[RunIdentity]:
    return [
        of_sweep(project, key(StudyKey), attempt),
        of_trial(project, key(TrialKey), attempt),
        of_fold(project, key(FoldKey), attempt),
        of_refit(project, key(TrialKey), key(ProtocolKey), attempt),
        of_benchmark(project, key(BenchmarkKey), attempt),
        of_selection(project, "sha256:" + "0" * 64, attempt),
        of_pointer(project, "champion", 1, "n1", attempt),
        of_final_training(project, key(SpecKey), key(ExecKey), 1, attempt),
        of_conversion(project, key(ConversionKey), attempt),
    ]


def test_stage_subject_project_and_attempt_make_the_run_key() -> None:
    found = [*identities(), *identities("other"), *identities(attempt=2)]
    assert len({each.key for each in found}) == len(found)


def test_subjects_hold_what_the_stage_is_about() -> None:
    names = [sorted(each.subject) for each in identities()]
    assert names == [
        ["study"],
        ["trial"],
        ["fold"],
        ["protocol", "trial"],
        ["benchmark"],
        ["selection"],
        ["generation", "nonce", "pointer"],
        ["exec", "spec", "variant"],
        ["conversion"],
    ]
    assert {each.stage for each in identities()} == set(Stage)


@pytest.mark.parametrize("identity", identities(), ids=lambda each: "-".join(sorted(each.subject)))
def test_next_attempt_is_another_run_of_the_same_subject(identity: RunIdentity) -> None:
    again = identity.next_attempt(2)
    assert again.subject_bytes == identity.subject_bytes
    assert (again.stage, again.project, again.attempt) == (identity.stage, identity.project, 2)
    assert again.key != identity.key


def test_runs_opened_by_name_are_always_new() -> None:
    parent = key(RunKey)
    found = [
        ad_hoc("demo", Stage.CONVERSION, "export", parent, "n1"),
        ad_hoc("demo", Stage.CONVERSION, "export", parent, "n2"),
        ad_hoc("demo", Stage.CONVERSION, "export", None, "n1"),
        ad_hoc("demo", Stage.CONVERSION, "other", parent, "n1"),
        ad_hoc("demo", Stage.BENCHMARK, "export", parent, "n1"),
    ]
    assert len({each.key for each in found}) == len(found)
    assert {each.attempt for each in found} == {1}


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True))
def test_portable_project_names_are_accepted(project: str) -> None:
    assert of_trial(project, key(TrialKey), 1).project == project


@pytest.mark.parametrize("project", ["", "-a", "_a", "a b", "a.b", "é", "a" * 65, "a\n"])
@pytest.mark.parametrize("make", [of_trial])
def test_other_project_names_are_refused(project: str, make: Callable[..., Any]) -> None:
    with pytest.raises(InvalidInput, match="project"):
        make(project, key(TrialKey), 1)


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_count_from_one(attempt: int) -> None:
    with pytest.raises(InvalidInput, match="attempt"):
        of_trial("demo", key(TrialKey), attempt)


@pytest.mark.parametrize("text", ["", "tk3", "tk3:" + "A" * 64, "sk3:" + "0" * 64, "tk3:" + "0" * 63])
def test_text_that_is_no_key_of_its_kind_is_refused(text: str) -> None:
    with pytest.raises(IdentityError, match="tk3"):
        TrialKey(text)
