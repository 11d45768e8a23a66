"""What each kind of artifact demands of its files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.artifact_kinds import validate
from studbook.domain.errors import ArtifactInvalid
from studbook.domain.manifest import ArtifactKind as Kind
from studbook.domain.tree_view import InvalidReason


class MemoryTree:
    """A tree view of a mapping from path to bytes."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = dict(files)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(sorted(self._files, key=str.encode))

    def size(self, path: str) -> int:
        return len(self._files[path])

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        return self._files[path][start:] if length is None else self._files[path][start : start + length]

    def yaml(self, path: str) -> object:
        try:
            parsed: object = yaml.safe_load(self._files[path])
        except yaml.YAMLError as error:
            raise ValueError("not YAML") from error
        return parsed


def safetensors(*sizes: int) -> bytes:
    """A safetensors file of tensors with these sizes in bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for index, size in enumerate(sizes):
        header[f"t{index}"] = {"dtype": "U8", "shape": [size], "data_offsets": [start, start + size]}
        start += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(start)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """An uncompressed zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


CONFIG = b'{"model_type":"svm"}\n'
WEIGHTS = safetensors(16, 4)
INDEX = "model.safetensors.index.json"
SHARDS = {
    "model-00001-of-00002.safetensors": safetensors(8),
    "model-00002-of-00002.safetensors": safetensors(4),
}


def index(names: object, **more: object) -> bytes:
    return json.dumps({"weight_map": names, **more}).encode()


def reason(kind: Kind, files: dict[str, bytes], profile: str | None = None) -> str:
    """Why the files are refused; fails the test when they are not."""
    with pytest.raises(ArtifactInvalid) as caught:
        validate(kind, MemoryTree(files), profile)
    assert caught.value.cure
    return str(caught.value.details["reason"])


MAP = index({"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"})


@pytest.mark.parametrize(
    ("profile", "files"),
    [
        ("transformers", {"config.json": CONFIG, "model.safetensors": WEIGHTS}),
        ("transformers", {"config.json": CONFIG, "pytorch_model.bin": zipped({"data.pkl": b"x"})}),
        ("transformers", {"config.json": CONFIG, "model.bin": bytes(4), "tokenizer/vocab.txt": b""}),
        ("transformers", {"config.json": CONFIG, INDEX: MAP, **SHARDS}),
        ("onnx", {"model.onnx": b"onnx", "model.onnx_data": b""}),
        ("onnx", {"deep/model.onnx": b"onnx", "x.pt": b""}),
        ("single", {"model.joblib": b"x"}),
        ("single", {"a.pt": zipped({"a/data.pkl": b"x" * 99, "b": b""}), "b.ckpt": b"legacy"}),
        ("single", {"weights.safetensors": WEIGHTS, "readme.md": b""}),
        ("single", {"w.safetensors": safetensors()}),
    ],
)
@pytest.mark.parametrize("kind", [Kind.CHECKPOINT, Kind.MODEL])
def test_the_first_profile_whose_sign_is_there_holds(
    kind: Kind, profile: str, files: dict[str, bytes]
) -> None:
    assert validate(kind, MemoryTree(files)) == profile
    assert validate(kind, MemoryTree(files), profile) == profile


@pytest.mark.parametrize(
    ("why", "files"),
    [
        ("EMPTY", {}),
        ("UNRECOGNISED", {"readme.md": b"text"}),
        ("MISSING_CONFIG", {"model.safetensors": WEIGHTS}),
        ("MISSING_CONFIG", SHARDS),
        ("MISSING_CONFIG", {"sub/config.json": CONFIG, "model.bin": b"x"}),
        ("MISSING_WEIGHTS", {"config.json": CONFIG}),
        ("MISSING_WEIGHTS", {"config.json": CONFIG, **SHARDS}),
        ("MISSING_WEIGHTS", {"config.json": CONFIG, "model.onnx": b"a failure is final", "x.pt": b"x"}),
        ("BAD_JSON", {"config.json": b"{", "model.bin": b"x"}),
        ("BAD_JSON", {"config.json": b'{"a": NaN}', "model.bin": b"x"}),
        ("BAD_JSON", {"config.json": "{}".encode("utf-16"), "model.bin": b"x"}),
        ("BAD_JSON", {"config.json": b"[" * 100_000, "model.bin": b"x"}),
        ("EMPTY", {"config.json": b"", "model.bin": b"x"}),
        ("NOT_AN_OBJECT", {"config.json": b"[]", "model.bin": b"x"}),
        ("EMPTY", {"config.json": CONFIG, "model.bin": b""}),
        ("EMPTY", {"config.json": CONFIG, "model.safetensors": WEIGHTS, "pytorch_model.bin": b""}),
        ("MISSING_SHARD", {"config.json": CONFIG, INDEX: MAP, **dict([*SHARDS.items()][:1])}),
        ("TRUNCATED", {"config.json": CONFIG, INDEX: MAP, **SHARDS, [*SHARDS][1]: safetensors(4)[:-1]}),
        ("BAD_INDEX", {"config.json": CONFIG, INDEX: b"[]"}),
        ("BAD_INDEX", {"config.json": CONFIG, INDEX: index({})}),
        ("BAD_INDEX", {"config.json": CONFIG, INDEX: index({"a": "../model.safetensors"})}),
        ("BAD_INDEX", {"config.json": CONFIG, INDEX: index({"a": 1})}),
        (
            "BAD_INDEX",
            {
                "config.json": CONFIG,
                INDEX: index({"a": "s.bin"}, metadata={"total_size": "9"}),
                "s.bin": b"x",
            },
        ),
        (
            "TRUNCATED",
            {"config.json": CONFIG, INDEX: index({"a": "s.bin"}, metadata={"total_size": 9}), "s.bin": b"x"},
        ),
        ("EMPTY", {"a.onnx": b"x", "b.onnx": b""}),
        ("EMPTY", {"a.pt": b"x", "b.pt": b""}),
        ("EMPTY", {"a.pt": zipped({})}),
        ("TRUNCATED", {"a.safetensors": WEIGHTS + b"\0"}),
        ("TRUNCATED", {"a.safetensors": bytes(8) + b"{}"}),
        ("BAD_JSON", {"a.safetensors": (2).to_bytes(8, "little") + b"{]"}),
        ("NOT_AN_OBJECT", {"a.safetensors": (2).to_bytes(8, "little") + b"[]"}),
        ("BAD_JSON", {"a.safetensors": (9).to_bytes(8, "little") + b'{"t": {}}'}),
    ],
)
def test_a_checkpoint_that_would_not_load_is_refused(why: str, files: dict[str, bytes]) -> None:
    assert reason(Kind.CHECKPOINT, files) == why


def test_a_named_profile_must_hold() -> None:
    files = {"config.json": CONFIG, "model.onnx": b"onnx"}
    assert validate(Kind.CHECKPOINT, MemoryTree(files), "onnx") == "onnx"
    assert reason(Kind.CHECKPOINT, files, "single") == "MISSING_WEIGHTS"
    assert reason(Kind.CHECKPOINT, files, "made-up") == "UNRECOGNISED"
    assert reason(Kind.CHECKPOINT, {"x.txt": b"x"}, "onnx") == "MISSING_WEIGHTS"
    assert reason(Kind.LOGS, {"x.txt": b"x"}, "onnx") == "UNRECOGNISED"


def test_files_that_are_no_weights_are_refused_with_those_that_are() -> None:
    with pytest.raises(
        ArtifactInvalid, match=r"\.safetensors, .*\.joblib, .*\.onnx, or a Transformers folder"
    ):
        validate(Kind.CHECKPOINT, MemoryTree({"readme.md": b"text"}), None)


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        (Kind.METADATA, {"any.json": b"{}"}),
        (Kind.METADATA, {"run_metadata.json": b"broken", "metadata.json": b"{}", "x": b""}),
        (Kind.CONFIG, {"config.json": b"[1]"}),
        (Kind.CONFIG, {"config.yaml": b"a: [1, 2]\n"}),
        (Kind.CONFIG, {"config.yml": b"- 1\n"}),
        (Kind.CONFIG, {"config.toml": b"[a]\r\nb = 1\r\n"}),
        (Kind.CONFIG, {"rows.jsonl": b'{"a":1}\n2\n'}),
        (Kind.CONFIG, {"config.ini": b"[a]\n"}),
        (Kind.METRICS, {"metrics.json": b'{"f1": 0.5, "note": ["NaN", null]}'}),
        (Kind.METRICS, {"metrics.json": b'{"nested": {"f1": [1]}}'}),
        (Kind.LOGS, {"a.log": b"", "b.log": b"x"}),
        (Kind.ANY, {"empty": b""}),
    ],
)
def test_other_kinds_are_valid_without_a_profile(kind: Kind, files: dict[str, bytes]) -> None:
    assert validate(kind, MemoryTree(files)) is None


@pytest.mark.parametrize(
    ("why", "kind", "files"),
    [
        ("BAD_JSON", Kind.METADATA, {"trial_meta.json": b"broken", "metadata.json": b"{}"}),
        ("NOT_AN_OBJECT", Kind.METADATA, {"m.json": b"1"}),
        ("WRONG_SHAPE", Kind.METADATA, {"a.json": b"{}", "b.json": b"{}"}),
        ("NOT_AN_OBJECT", Kind.CONFIG, {"config.json": b"1"}),
        ("NOT_AN_OBJECT", Kind.CONFIG, {"config.yaml": b"text"}),
        ("UNRECOGNISED", Kind.CONFIG, {"config.yaml": b"!!python/object:os.system {}"}),
        ("UNRECOGNISED", Kind.CONFIG, {"config.toml": b"a ="}),
        ("UNRECOGNISED", Kind.CONFIG, {"config.ini": b"\xff"}),
        ("BAD_JSON", Kind.CONFIG, {"rows.jsonl": b"1\n\n2\n"}),
        ("EMPTY", Kind.CONFIG, {"config.ini": b""}),
        ("WRONG_SHAPE", Kind.CONFIG, {"a.json": b"{}", "b.json": b"{}"}),
        ("NOT_FINITE", Kind.METRICS, {"m.json": b'{"a": 1, "b": [NaN]}'}),
        ("NOT_FINITE", Kind.METRICS, {"m.json": b'{"a": 1, "b": {"c": -Infinity}}'}),
        ("NOT_FINITE", Kind.METRICS, {"m.json": b'{"a": 1e999}'}),
        ("NO_NUMBER", Kind.METRICS, {"m.json": b'{"a": true, "b": "1"}'}),
        ("NOT_AN_OBJECT", Kind.METRICS, {"m.json": b"[1]"}),
        ("EMPTY", Kind.LOGS, {"a.log": b""}),
        ("EMPTY", Kind.ANY, {}),
    ],
)
def test_other_kinds_say_why_they_are_refused(why: str, kind: Kind, files: dict[str, bytes]) -> None:
    assert reason(kind, files) == why


@given(sizes=st.lists(st.integers(0, 64), max_size=4), data=st.data())
def test_safetensors_cut_anywhere_are_refused(sizes: list[int], data: st.DataObject) -> None:
    whole = safetensors(*sizes)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert validate(Kind.MODEL, MemoryTree({"w.safetensors": whole})) == "single"
    assert reason(Kind.MODEL, {"w.safetensors": whole[:cut]}) in {"EMPTY", "TRUNCATED"}


@given(contents=st.lists(st.binary(max_size=40), min_size=1, max_size=4), data=st.data())
def test_zip_based_weights_cut_anywhere_are_refused(contents: list[bytes], data: st.DataObject) -> None:
    # The last member is an archive itself: its directory must not be taken for the outer one's.
    members = {f"m{index}": content for index, content in enumerate(contents)}
    whole = zipped({**members, "nested.zip": zipped(members)})
    cut = data.draw(st.integers(2, len(whole) - 1))
    assert validate(Kind.MODEL, MemoryTree({"w.pt": whole})) == "single"
    assert reason(Kind.MODEL, {"w.pt": whole[:cut]}) == "TRUNCATED"


@given(
    content=st.binary(max_size=200),
    suffix=st.sampled_from(["safetensors", "pt", "json", "yaml", "toml", "jsonl"]),
)
def test_any_bytes_are_valid_or_refused_with_a_reason(content: bytes, suffix: str) -> None:
    for prefix in (b"", b"PK\x03\x04", b"PK\x05\x06", (10).to_bytes(8, "little")):
        tree = MemoryTree({f"file.{suffix}": prefix + content})
        reasons = {refusal(kind, tree) for kind in Kind}
        assert reasons <= {None, *InvalidReason}


def refusal(kind: Kind, tree: MemoryTree) -> object:
    """The reason, or None when the tree is valid; any other error than a refusal passes through."""
    try:
        validate(kind, tree)
    except ArtifactInvalid as error:
        return error.details["reason"]
    return None
