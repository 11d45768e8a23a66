"""Every declared tag is written and read back; keys can be remapped, never shared."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from studbook.domain.errors import ConfigError, MalformedRun, TagInvalid, UndeclaredTag
from studbook.domain.run import EndReason
from studbook.domain.stage import Stage
from studbook.domain.tag import Tag
from studbook.domain.tag_table import TAGS
from studbook.domain.vocabulary import DEFAULT_VOCABULARY, MOST_TAGS

HEX = "0123456789abcdef" * 4
RUN = f"rk3:{HEX}"

_text = st.text(st.characters(exclude_categories=["Cs"]))
_json: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)
_WORDS: Mapping[str, tuple[str, ...]] = {
    "run.stage": tuple(Stage),
    "run.ended_by": ("service",),
    "run.end_reason": tuple(EndReason),
    "data.mode": ("content", "declared", "undeclared"),
    "sweep.outcome": ("completed", "exhausted", "timeout", "stopped", "interrupted", "failed"),
    "trial.state": ("COMPLETE", "PRUNED", "FAILED"),
    "refit.reason": ("best_trial", "champion", "requested"),
    "refit.validation": ("none", "holdout"),
    "lineage.source": ("selection", "refit", "final_training", "external", "scratch"),
}


def values_of(tag: Tag) -> st.SearchStrategy[object]:
    """Values of the tag's type."""
    hex_text = st.text("0123456789abcdef", min_size=64, max_size=64)
    kind = tag.type.name
    if kind.startswith("key("):
        return hex_text.map(lambda digits: f"{kind[4:-1]}:{digits}")
    by_kind: dict[str, st.SearchStrategy[object]] = {
        "digest": hex_text.map("sha256:{}".format),
        "int": st.integers(),
        "bool": st.booleans(),
        "time": st.integers(-62135596800000, 253402300799999),
        "json": _json,
        "str": _text,
    }
    return st.sampled_from(_WORDS[tag.name]) if kind == "enum" else by_kind[kind]


@pytest.mark.parametrize("tag", TAGS, ids=lambda tag: tag.name)
@given(data=st.data())
def test_every_declared_tag_is_read_as_it_was_written(tag: Tag, data: st.DataObject) -> None:
    value = data.draw(values_of(tag))
    for stage in tag.stages:
        key, text = DEFAULT_VOCABULARY.write(tag.name, value, stage)
        assert key == tag.key
        assert DEFAULT_VOCABULARY.read(tag.name, {key: text}) == value


@pytest.mark.parametrize("tag", TAGS, ids=lambda tag: tag.name)
def test_a_tag_is_refused_on_a_stage_that_does_not_carry_it(tag: Tag) -> None:
    for stage in set(Stage) - tag.stages:
        with pytest.raises(UndeclaredTag):
            DEFAULT_VOCABULARY.write(tag.name, "x", stage)


@pytest.mark.parametrize("tag", [t for t in TAGS if t.type.name != "str"], ids=lambda tag: tag.name)
def test_a_malformed_value_names_run_and_tag(tag: Tag) -> None:
    with pytest.raises(MalformedRun) as caught:
        DEFAULT_VOCABULARY.read(tag.name, {tag.key: "{not it"}, run="abc")
    assert "abc" in caught.value.problem
    assert tag.key in caught.value.problem


@pytest.mark.parametrize("tag", TAGS, ids=lambda tag: tag.name)
def test_declared_keys_are_portable_and_required_stages_are_among_the_allowed(tag: Tag) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.]{1,100}", tag.key)
    assert tag.required <= tag.stages
    assert DEFAULT_VOCABULARY.is_reserved(tag.key)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run.key", "sk3:" + HEX),
        ("run.attempt", True),
        ("run.attempt", 1.0),
        ("run.adopted", "true"),
        ("run.stage", "hpo"),
        ("run.last_seen", 10**18),
        ("artifact.model", HEX),
        ("run.error", "\ud800"),
        ("run.version", 3),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(TagInvalid):
        DEFAULT_VOCABULARY.write(name, value)


def test_without_a_stage_only_tags_of_every_run_can_be_written() -> None:
    assert DEFAULT_VOCABULARY.write("run.adopted", True) == ("studbook.adopted", "true")
    with pytest.raises(UndeclaredTag):
        DEFAULT_VOCABULARY.write("trial.state", "COMPLETE")
    with pytest.raises(UndeclaredTag):
        DEFAULT_VOCABULARY.key("no.such")


def test_the_number_of_tags_that_a_run_must_carry_stays_within_the_smallest_backend() -> None:
    assert all(len(DEFAULT_VOCABULARY.required(stage)) <= MOST_TAGS for stage in Stage)
    assert DEFAULT_VOCABULARY.required() == {
        "run.key", "run.stage", "run.attempt", "run.schema",
        "run.version", "run.project", "run.writer", "run.environment",
    }  # fmt: skip


def test_a_remapped_tag_is_written_to_its_key_and_read_from_all_in_order() -> None:
    ours = DEFAULT_VOCABULARY.remapped({"run.stage": "acme.stage"}, {"run.stage": ["old.stage"]})
    assert ours.write("run.stage", Stage.TRIAL, Stage.TRIAL) == ("acme.stage", "hpo_trial")
    tags = {"studbook.stage": "benchmark"}
    assert ours.read("run.stage", tags) is Stage.BENCHMARK
    tags["old.stage"] = "hpo_fold"
    assert ours.read("run.stage", tags) is Stage.FOLD
    tags["acme.stage"] = "hpo_trial"
    assert ours.read("run.stage", tags) is Stage.TRIAL
    assert ours.is_reserved("acme.stage")
    assert ours.is_reserved("studbook.stage")
    assert not DEFAULT_VOCABULARY.is_reserved("acme.stage")


@pytest.mark.parametrize(
    ("keys", "aliases"),
    [
        ({"no.such": "x"}, {}),
        ({}, {"no.such": ["x"]}),
        ({"run.stage": "same", "run.key": "same"}, {}),
        ({"run.stage": "studbook.attempt"}, {}),
        ({"run.stage": "a"}, {"run.key": ["a"]}),
        ({"run.stage": "a b"}, {}),
        ({"run.stage": ""}, {}),
        ({"run.stage": "x" * 101}, {}),
        ({"run.stage": "mlflow.user"}, {}),
    ],
)
def test_a_remapping_that_is_unknown_shared_or_unportable_is_refused(
    keys: dict[str, str], aliases: dict[str, list[str]]
) -> None:
    with pytest.raises(ConfigError):
        DEFAULT_VOCABULARY.remapped(keys, aliases)


def test_a_malformed_value_is_told_each_time_that_all_tags_are_read() -> None:
    for _ in range(2):
        with pytest.raises(MalformedRun, match=r"run r: tag 'studbook\.attempt' is no int"):
            DEFAULT_VOCABULARY.read_all({"studbook.attempt": "one"}, run="r")


def test_more_different_texts_than_are_remembered_are_read_all_the_same() -> None:
    numbers = [DEFAULT_VOCABULARY.read_all({"studbook.attempt": str(n)}) for n in range(1_000)]
    assert numbers == [{"run.attempt": n} for n in range(1_000)]


def test_legacy_keys_are_read_only_when_asked_for() -> None:
    tags = {"code.project": "old"}
    assert DEFAULT_VOCABULARY.read("run.project", tags) is None
    assert DEFAULT_VOCABULARY.read("run.project", tags, legacy=True) == "old"


@given(st.data(), st.lists(st.sampled_from(TAGS), unique=True, max_size=4))
def test_reading_all_tags_at_once_is_reading_each(data: st.DataObject, some: list[Tag]) -> None:
    ours = DEFAULT_VOCABULARY.remapped({"run.stage": "acme.stage"}, {"run.stage": ["old.stage"]})
    present = {tag.key: tag.type.write(data.draw(values_of(tag))) for tag in some}
    stages = st.dictionaries(st.sampled_from(ours.read_keys("run.stage")), st.sampled_from(Stage))
    tags = {"users own": "x", **present, **{key: str(stage) for key, stage in data.draw(stages).items()}}
    each = {tag.name: ours.read(tag.name, tags) for tag in TAGS if ours.find(tag.name, tags)}
    assert ours.read_all(tags) == each
    assert ours.read_all(tags) == each  # what is remembered is what was parsed
