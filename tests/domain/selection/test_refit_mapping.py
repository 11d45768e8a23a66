"""The one rule that maps a trial to its refit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from studbook.domain.errors import RefitMissing, RefitNotUsable
from studbook.domain.run import RunStatus
from studbook.domain.run_view import KeySchema
from studbook.domain.selection.refit_mapping import (
    MappingBasis,
    RefitRequirement,
    RefitRule,
    RefitVerdict,
    artifact_run,
    map_refit,
)
from studbook.domain.selection.warning import WarningCode
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle

P1, P2 = "a" * 64, "b" * 64

VERDICTS: dict[str, tuple[dict[str, Any], RefitVerdict | None]] = {
    "link by backend id": ({}, RefitVerdict.LINK),
    "link by run key": ({"refit_of": "trial-x"}, RefitVerdict.LINK),
    "link, keys absent": ({"study_key": None, "trial_key": None}, RefitVerdict.LINK),
    "no link, equal keys": ({"refit_of": None}, RefitVerdict.KEY),
    "dangling link, equal keys": ({"refit_of": "gone"}, RefitVerdict.KEY),
    "link, another trial's key": ({"trial_key": "key-y"}, RefitVerdict.LINK_CONTRADICTS_KEY),
    "link, another study's key": ({"study_key": "T"}, RefitVerdict.LINK_CONTRADICTS_KEY),
    "link elsewhere, equal keys": ({"refit_of": "trial-y"}, RefitVerdict.LINK_ELSEWHERE),
    "no link, another study": ({"refit_of": None, "study_key": "T"}, RefitVerdict.OTHER_STUDY),
    "no link, no study": ({"refit_of": None, "study_key": None}, RefitVerdict.OTHER_STUDY),
    "no link, equal text of another schema": (
        {"refit_of": None, "key_schema": KeySchema.V2},
        RefitVerdict.OTHER_STUDY,
    ),
    "deleted": ({"lifecycle": Lifecycle.DELETED}, RefitVerdict.DELETED),
    "running": ({"status": RunStatus.RUNNING}, RefitVerdict.NOT_FINISHED),
    "failed": ({"status": RunStatus.FAILED}, RefitVerdict.NOT_FINISHED),
    "another stage with a link": ({"stage": Stage.FINAL_TRAINING}, RefitVerdict.WRONG_STAGE),
    "another stage with the keys": ({"stage": Stage.BENCHMARK, "refit_of": None}, None),
    "another trial's": ({"refit_of": "trial-y", "trial_key": "key-y"}, None),
    "no link, no keys": ({"refit_of": None, "study_key": None, "trial_key": None}, None),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdict(make: Any, case: str) -> None:
    fields, verdict = VERDICTS[case]
    mapping = map_refit(
        [make.trial("x", 0.9)], [make.refit("x", **fields)], RefitRule(), known={"trial-x", "trial-y"}
    )
    assert mapping.considered == (() if verdict is None else (("refit-x", verdict),))
    eligible = verdict in (RefitVerdict.LINK, RefitVerdict.KEY)
    assert mapping.refit == ("refit-x" if eligible else None)
    assert mapping.basis == (MappingBasis(str(verdict)) if eligible else MappingBasis.NONE)
    dangling = any(w.code is WarningCode.LINK_DANGLING for w in mapping.warnings)
    assert dangling is (case == "dangling link, equal keys")


def test_a_link_that_cannot_be_checked_is_not_taken_for_dangling(make: Any) -> None:
    mapping = map_refit([make.trial("x", 0.9)], [make.refit("x", refit_of="somewhere")], RefitRule())
    assert mapping.considered == (("refit-x", RefitVerdict.LINK_ELSEWHERE),)


@pytest.mark.parametrize(
    ("fp", "schema", "accept", "passes"),
    [
        (P1, KeySchema.V3, True, True),
        (f"rp3:{P1}", KeySchema.V3, True, True),
        (P2, KeySchema.V3, True, False),
        (None, KeySchema.V2, True, True),
        (None, KeySchema.V2, False, False),
        (None, KeySchema.V3, True, False),
    ],
)
def test_protocol(make: Any, fp: str | None, schema: KeySchema, accept: bool, passes: bool) -> None:
    refit = make.refit("x", protocol_fp=fp, key_schema=schema)
    mapping = map_refit([make.trial("x", 0.9)], [refit], RefitRule(P1, accept))
    assert mapping.considered[0][1] is (RefitVerdict.LINK if passes else RefitVerdict.PROTOCOL_MISMATCH)


def test_a_link_beats_a_newer_key(make: Any) -> None:
    newer = make.refit("x", ref="newer", refit_of=None, started_at=9_000, attempt=2)
    mapping = map_refit([make.trial("x", 0.9)], [newer, make.refit("x")], RefitRule())
    assert (mapping.refit, mapping.basis) == ("refit-x", MappingBasis.LINK)


@pytest.mark.parametrize(
    ("newer", "fields"),
    [
        ("attempt", {"attempt": 2, "started_at": 0}),
        ("start", {"started_at": 1_001, "ended_at": 1}),
        ("end", {"ended_at": 2_001}),
    ],
)
def test_newest_wins_within_a_tier(make: Any, newer: str, fields: dict[str, Any]) -> None:
    runs = [make.refit("x"), make.refit("x", ref=f"zz-{newer}", **fields)]
    assert map_refit([make.trial("x", 0.9)], runs, RefitRule()).refit == f"zz-{newer}"
    assert map_refit([make.trial("x", 0.9)], runs[::-1], RefitRule()).refit == f"zz-{newer}"


def test_equally_new_refits_fall_back_on_the_smaller_ref(make: Any) -> None:
    runs = [make.refit("x", ref="b"), make.refit("x", ref="a")]
    assert map_refit([make.trial("x", 0.9)], runs, RefitRule()).refit == "a"


def test_a_newer_running_attempt_does_not_win(make: Any) -> None:
    running = make.refit("x", ref="running", attempt=2, status=RunStatus.RUNNING)
    assert map_refit([make.trial("x", 0.9)], [make.refit("x"), running], RefitRule()).refit == "refit-x"


def test_every_duplicate_of_a_trial_gets_the_same_refit(make: Any) -> None:
    first, failed = make.trial("x", 0.9), make.trial("x", 0.9, ref="again", run_id="id-again", attempt=2)
    failed = replace(failed, status=RunStatus.FAILED)
    refit = make.refit("x", refit_of="id-again")
    one = map_refit([first, failed], [refit], RefitRule())
    assert one == map_refit([failed, first], [refit], RefitRule())
    assert (one.trial, one.trial_runs, one.refit) == ("trial-x", ("again", "trial-x"), "refit-x")


def test_two_protocols_are_a_warning(make: Any) -> None:
    runs = [make.refit("x", protocol_fp=P1), make.refit("x", ref="other", protocol_fp=P2)]
    (warning,) = map_refit([make.trial("x", 0.9)], runs, RefitRule()).warnings
    assert warning.code is WarningCode.PROTOCOL_MIXED


def test_a_provided_refit_is_taken_when_it_passes_the_checks(make: Any) -> None:
    runs = [make.refit("x"), make.refit("x", ref="newer", run_id="id-newer", attempt=2)]
    mapping = map_refit([make.trial("x", 0.9)], runs, RefitRule(), provided="id-refit-x")
    assert (mapping.refit, mapping.basis) == ("refit-x", MappingBasis.PROVIDED)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": RunStatus.RUNNING},
        {"stage": Stage.FINAL_TRAINING, "refit_of": None},
        {"refit_of": "trial-y", "trial_key": "key-y"},
        {"ref": "another"},
    ],
)
def test_a_provided_refit_that_fails_a_check_is_an_error(make: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(RefitNotUsable):
        map_refit([make.trial("x", 0.9)], [make.refit("x", **fields)], RefitRule(), provided="refit-x")


def test_the_served_run_follows_the_requirement(make: Any) -> None:
    trial = [make.trial("x", 0.9)]
    mapped, bare = map_refit(trial, [make.refit("x")], RefitRule()), map_refit(trial, [], RefitRule())
    assert artifact_run(mapped, RefitRequirement.REQUIRED).ref == "refit-x"
    assert artifact_run(mapped, RefitRequirement.PREFERRED).ref == "refit-x"
    assert artifact_run(mapped, RefitRequirement.TRIAL).ref == "trial-x"
    fallback = artifact_run(bare, RefitRequirement.PREFERRED)
    assert (fallback.ref, fallback.is_refit) == ("trial-x", False)
    assert [w.code for w in fallback.warnings] == [WarningCode.TRIAL_FALLBACK]
    with pytest.raises(RefitMissing, match=r"sweep\.refit"):
        artifact_run(bare, RefitRequirement.REQUIRED)
