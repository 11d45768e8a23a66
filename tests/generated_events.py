"""Events of every kind, drawn at random, for the tests of what becomes of them."""

from __future__ import annotations

import typing

from hypothesis import strategies as st
from pydantic import ConfigDict, JsonValue, TypeAdapter
from pydantic.fields import FieldInfo

from studbook.domain.events import Envelope, Event
from studbook.domain.keys import (
    Key,
    RunKey,
)
from studbook.domain.manifest import ArtifactKind, ArtifactManifest, ManifestFile, content_digest
from studbook.domain.product_events import (
    Lineage,
)
from studbook.domain.run import Ending, EndReason
from studbook.domain.run_events import (
    Adoption,
    RunStarted,
)
from studbook.domain.stage import Stage
from studbook.domain.store_writes import (
    RecordRun,
    StoreWrite,
    WriteRecord,
)
from studbook.domain.value import Value
from studbook.domain.vocabulary import DEFAULT_VOCABULARY

ENVELOPE: TypeAdapter[Envelope] = TypeAdapter(Envelope, config=ConfigDict(ser_json_inf_nan="strings"))
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
KINDS: tuple[type[Value], ...] = typing.get_args(typing.get_args(Event)[0])
NAMES = {tag.key: tag.name for tag in DEFAULT_VOCABULARY.tags}


def key(kind: type[Key], digit: str = "a") -> str:
    return f"{kind.KIND}:{digit * 64}"


RUN, PARENT = RunKey(key(RunKey, "1")), RunKey(key(RunKey, "2"))
MS = 1_700_000_000_123

_word = st.text("abcdefgh_", min_size=1, max_size=8)
_digest = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
_json: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_word, inner, max_size=3),
    max_leaves=5,
)
_params = st.dictionaries(_word, _json, max_size=4)
_metrics = st.dictionaries(_word, st.floats(), max_size=4)
_objectives = st.lists(
    st.tuples(_word, st.sampled_from(["maximize", "minimize"])),
    min_size=1,
    max_size=2,
    unique_by=lambda o: o[0],
).map(tuple)
ENDINGS = st.one_of(
    st.just(Ending.finished()),
    st.builds(Ending.failed, error=st.none() | _word),
    st.sampled_from([EndReason.PRUNED, EndReason.TIMEOUT]).map(Ending.killed),
)


def manifest(kind: ArtifactKind = ArtifactKind.MODEL, size: int = 3) -> ArtifactManifest:
    files = (ManifestFile(path="model.bin", size=size, sha256="b" * 64),)
    return ArtifactManifest(
        schema_="studbook.manifest/1",
        name="model",
        kind=kind,
        run_key=RUN,
        stage=Stage.FINAL_TRAINING,
        files=files,
        file_count=1,
        total_size=size,
        content_digest=content_digest(files),
        created_at="2024-01-01T00:00:00.000Z",
        studbook="0.1.0",
    )


_BY_NAME: dict[str, st.SearchStrategy[typing.Any]] = {
    "subject_of_run": _params,
    "params": _params,
    "settings": _params,
    "environment_of_benchmark": _params,
    "metrics": _metrics,
    "values": _metrics,
    "counts": st.dictionaries(st.sampled_from(["trials_total", "pareto_size"]), st.integers(0, 99)),
    "objectives": _objectives,
    "objectives_of_fold": _metrics,
    "manifest": st.builds(manifest, st.sampled_from(ArtifactKind), st.integers(0, 9)).map(
        lambda made: made.model_dump(mode="json", by_alias=True)
    ),
    "ending": ENDINGS,
    "tags": st.dictionaries(_word.map("user/{}".format), _word, max_size=3),
    "content": _json,
    "receipt": _json,
    "data_mode": st.sampled_from(["content", "declared", "undeclared"]),
    "digest": _digest,
    "content_digest": _digest,
    "selection_key": _digest,
}
_SPECIAL = {
    ("RunStarted", "subject"): "subject_of_run",
    ("BenchmarkStarted", "environment"): "environment_of_benchmark",
    ("FoldScored", "objectives"): "objectives_of_fold",
}


def _strategy(kind: type[Value], name: str, field: FieldInfo) -> st.SearchStrategy[typing.Any]:
    named = _BY_NAME.get(_SPECIAL.get((kind.__name__, name), name))
    options = typing.get_args(field.annotation) or (field.annotation,)
    if named is not None:
        return st.none() | named if type(None) in options else named
    return st.one_of([_of_type(option) for option in options])


def _of_type(option: typing.Any) -> st.SearchStrategy[typing.Any]:
    if option is None or option is type(None):
        return st.none()
    if option in (Adoption, Lineage):
        return instances(option)
    if isinstance(option, type) and issubclass(option, Stage):
        return st.sampled_from(Stage)
    if isinstance(option, type) and issubclass(option, Key):
        return st.sampled_from("0123").map(lambda digit: key(option, digit))
    by_type: dict[object, st.SearchStrategy[typing.Any]] = {
        str: _word,
        int: st.integers(1, 10**18),
        float: st.floats(),
        bool: st.booleans(),
    }
    return by_type[option] if option in by_type else st.just(option)


def instances(kind: type[Value]) -> st.SearchStrategy[Value]:
    """Any value of the kind: every field is drawn."""
    fields = {
        name: _strategy(kind, name, field) for name, field in kind.model_fields.items() if name != "kind"
    }
    return st.fixed_dictionaries(fields).map(kind.model_validate)


def envelope(event: Value, at_ns: int = MS * 1_000_000, run: RunKey | None = RUN) -> Envelope:
    return Envelope(
        writer="w1", sequence=7, occurred_at_ns=at_ns, run_key=run, event=EVENT.validate_python(event)
    )


def tags_of(write: StoreWrite) -> dict[str, str]:
    match write:
        case RecordRun():
            return write.batch.tags
        case WriteRecord():
            return {}
        case _:
            return write.tags


def started(stage: Stage, **fields: object) -> RunStarted:
    return RunStarted.model_validate(
        {
            "project": "demo",
            "stage": stage,
            "subject": {},
            "attempt": 2,
            "name": "n",
            "experiment": "demo-hpo",
            "parent": None if stage is Stage.SWEEP else PARENT,
            "version": "0.1.0",
            **fields,
        }
    )
