"""What a study learns from, and how its scores are computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field

from .canonical import canonical, content_digest_text, refused
from .checked import Checked, invalid
from .errors import StudyInvalid
from .fields import Free, OptionalDigest, OptionalFree
from .keys import DataKey, EvalKey

DataMode = Literal["content", "declared", "undeclared"]


def _mode(data: dict[str, Any]) -> DataMode:
    if data.get("digest") is not None:
        return "content"
    return "undeclared" if data.get("name") is None and data.get("version") is None else "declared"


class DataSpec(Checked):
    """Data, by its bytes (`content`), by name and version (`declared`), or unknown (`undeclared`).

    Build one with the constructor of its mode. In mode `content`, name and version are labels: the same bytes
    are the same data. `label_map` names classes; `split` says how the data was cut from a larger whole.
    """

    ERROR = StudyInvalid

    digest: OptionalDigest = None
    name: str | None = Field(None, min_length=1)
    version: str | None = Field(None, min_length=1)
    schema_: OptionalFree = Field(None, alias="schema")
    label_map: OptionalFree = None
    split: OptionalFree = None
    mode: DataMode = Field(default_factory=_mode)

    model_config = ConfigDict(populate_by_name=True)

    def model_post_init(self, _context: object, /) -> None:
        if self.mode == "declared" and (self.name is None or self.version is None):
            raise invalid("declared data needs a name and a version", "give both, or a content digest")
        if (self.digest is None) == (self.mode == "content"):
            raise invalid(
                f"mode {self.mode} and the digest contradict each other", "a digest means mode content"
            )
        if self.schema_ is not None and self.mode != "declared":
            raise invalid(
                f"mode {self.mode} has no schema", "leave the schema out, or declare name and version"
            )

    @classmethod
    def content(
        cls,
        digest: str,
        *,
        name: str | None = None,
        version: str | None = None,
        label_map: Mapping[Any, Any] | None = None,
        split: Mapping[Any, Any] | None = None,
    ) -> DataSpec:
        """Data known by the digest of its bytes: preferred. See `content_digest_of`."""
        return cls.model_validate(
            {
                "mode": "content",
                "digest": digest,
                "name": name,
                "version": version,
                "label_map": label_map,
                "split": split,
            }
        )

    @classmethod
    def declared(
        cls,
        name: str,
        version: str,
        *,
        schema: Mapping[Any, Any] | None = None,
        label_map: Mapping[Any, Any] | None = None,
        split: Mapping[Any, Any] | None = None,
    ) -> DataSpec:
        """Data known by a name and a version that its owner vouches for."""
        return cls.model_validate(
            {
                "mode": "declared",
                "name": name,
                "version": version,
                "schema": schema,
                "label_map": label_map,
                "split": split,
            }
        )

    @classmethod
    def undeclared(
        cls,
        *,
        name: str | None = None,
        label_map: Mapping[Any, Any] | None = None,
        split: Mapping[Any, Any] | None = None,
    ) -> DataSpec:
        """Nothing is known: studies on different data then share a key. `name` is a label."""
        return cls.model_validate(
            {"mode": "undeclared", "name": name, "label_map": label_map, "split": split}
        )

    def payload(self) -> dict[str, Any]:
        """What the key is made of."""
        common = {"mode": self.mode, "label_map": self.label_map, "split": self.split}
        if self.mode == "content":
            return {**common, "digest": self.digest}
        if self.mode == "declared":
            return {**common, "name": self.name, "version": self.version, "schema": self.schema_}
        return common

    @property
    def key(self) -> DataKey:
        """The data's identity."""
        return DataKey.of(self.payload())


class EvalSpec(Checked):
    """An evaluator: its version, and all options that change a number (thresholds, averaging)."""

    ERROR = StudyInvalid

    name: str = Field("default", min_length=1)
    version: str = Field("1", min_length=1)
    options: Free = Field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """What the key is made of."""
        return {"name": self.name, "version": self.version, "options": self.options}

    @property
    def key(self) -> EvalKey:
        """The evaluation's identity."""
        return EvalKey.of(self.payload())


def content_digest_of(value: object, *, at: str = "data") -> str:
    """The content digest of bytes, an array, or nested tuples, lists and mappings of these.

    Arrays are known by their looks (`dtype`, `shape`, `tobytes`) and digested by dtype, shape and their
    little-endian bytes in C order; object arrays by their nested list. Anything else is an IdentityError.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return content_digest_text(bytes(value))
    if isinstance(value, (tuple, list, Mapping)):
        return content_digest_text(canonical(_digests(value, at), at=at, max_bytes=None))
    if all(hasattr(value, name) for name in ("dtype", "shape", "tobytes")):
        return content_digest_text(_array_bytes(value, at))
    raise refused((at,), f"{type(value).__qualname__} has no content digest", _CURE)


def _digests(value: object, at: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _digests(item, f"{at}.{key}") for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_digests(item, f"{at}[{i}]") for i, item in enumerate(value)]
    return content_digest_of(value, at=at)


def _array_bytes(array: Any, at: str) -> bytes:
    if array.dtype.kind == "O":
        return canonical(array.tolist(), at=at, max_bytes=None)
    if array.dtype.hasobject:
        raise refused((at,), f"an array of {array.dtype} holds addresses", "pass its columns one by one")
    little = array.dtype.newbyteorder("<")
    if little != array.dtype:
        array = array.astype(little)
    head = canonical({"dtype": array.dtype.str, "shape": list(array.shape)}, at=at)
    content: bytes = array.tobytes()
    return head + b"\n" + content


_CURE = "pass bytes, arrays (numpy.asarray) or nested lists of these, or declare name and version"
