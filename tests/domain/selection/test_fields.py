"""Decisions read nothing of a run but the fields that are asked for."""

from __future__ import annotations

import pytest

from studbook.domain.run import RunStatus
from studbook.domain.run_reader import read_run
from studbook.domain.selection.fields import READ
from studbook.domain.selection.run_record import run_json, trimmed
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.domain.tag import Tag
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.run_query import ANY_STATUS, RunQuery

_TEXTS = {
    "run.schema": "3",
    "study.objectives": '[["score","maximize"]]',
    "trial.params": '{"iterations":7,"benchmark_device":true,"C":1.5}',
    "benchmark.environment": '{"device":"cpu","hardware":"hk"}',
}
_BY_TYPE = {"str": "text", "int": "5", "bool": "true", "json": "{}", "time": "2025-01-01T00:00:00.000Z"}


def text_of(tag: Tag) -> str:
    """A text that the tag may have."""
    if tag.type.name.startswith("key("):
        return f"{tag.type.name[4:-1]}:{'5' * 64}"
    if tag.type.name == "digest":
        return f"sha256:{'5' * 64}"
    return _TEXTS.get(tag.name) or (tag.type.words[0] if tag.type.words else _BY_TYPE[tag.type.name])


@pytest.mark.parametrize("stage", [Stage.SWEEP, Stage.TRIAL, Stage.REFIT, Stage.BENCHMARK])
def test_a_run_with_every_tag_reads_the_same_with_the_fields_alone(stage: Stage) -> None:
    tags = {tag.key: text_of(tag) for tag in DEFAULT_VOCABULARY.tags if stage in tag.stages}
    tags |= {DEFAULT_VOCABULARY.key("run.stage"): stage.value, "user": "own"}
    whole = StoredRun(
        run_id="0" * 32,
        experiment="horses",
        name="a run",
        status=RunStatus.FINISHED,
        lifecycle=Lifecycle.ACTIVE,
        started_at_ms=1,
        ended_at_ms=2,
        parent_id="1" * 32,
        tags=tags,
        params={"iterations": "7", "benchmark_device": "cpu", "C": "1.5"},
        metrics={"score": 0.5, "score_fold_0": 0.4, "score_fold_1": 0.6, "other": 1.0},
    )
    keys = {key for name in READ.tags for key in DEFAULT_VOCABULARY.read_keys(name)}
    query = RunQuery(("horses",), ANY_STATUS, tag_fields=frozenset(keys), param_fields=READ.params)
    some = query.select_fields(whole)
    assert len(some.tags) < len(tags)

    def record(run: StoredRun) -> dict[str, object]:
        return run_json(trimmed(read_run(run), frozenset({"score"})))

    assert record(some) == record(whole)
