"""Key types: `<kind>:<64 hex>`, one type a kind, so that no key is taken for another."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from .canonical import canonical
from .errors import IdentityError

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Key(str):
    """A key's full text. Subclasses fix the kind, which carries the version of the payload's rules."""

    KIND: ClassVar[str]
    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        kind, _, digest = text.partition(":")
        if kind != cls.KIND or not _DIGEST.fullmatch(digest):
            raise IdentityError(
                f"{text[:80]!r} is no {cls.KIND} key",
                cure=f"pass the full text: {cls.KIND}: and 64 lower-case hexadecimal digits",
            )
        return super().__new__(cls, text)

    @classmethod
    def of(cls, payload: Mapping[str, object]) -> Self:
        """The key of a payload: SHA-256 over the canonical form of kind and payload."""
        digest = hashlib.sha256(canonical({"kind": cls.KIND, "payload": payload})).hexdigest()
        return cls(f"{cls.KIND}:{digest}")

    @property
    def hex(self) -> str:
        """The 64 hexadecimal digits."""
        return self[len(self.KIND) + 1 :]

    @property
    def short(self) -> str:
        """The first 8 digits: for names and tables, never to compare by."""
        return self.hex[:8]

    @property
    def folder(self) -> str:
        """The first 16 digits: for local paths; the folder holds a file `key` with the full text."""
        return self.hex[:16]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def parse(text: str) -> Key:
            try:
                return cls(text)
            except IdentityError as error:
                raise ValueError(error.problem) from error

        return core_schema.no_info_after_validator_function(
            parse, core_schema.str_schema(), serialization=core_schema.to_string_ser_schema()
        )


class DataKey(Key):
    """Data that a study, refit or final training learns from."""

    KIND = "df3"
    __slots__ = ()


class EvalKey(Key):
    """How scores are computed."""

    KIND = "ef3"
    __slots__ = ()


class StudyKey(Key):
    """One search."""

    KIND = "sk3"
    __slots__ = ()


class StudyFamilyKey(Key):
    """What makes the scores of two studies comparable."""

    KIND = "sf3"
    __slots__ = ()


class TrialKey(Key):
    """One point of one study."""

    KIND = "tk3"
    __slots__ = ()


class FoldKey(Key):
    """One cross-validation split of one trial."""

    KIND = "fk3"
    __slots__ = ()


class ProtocolKey(Key):
    """How a refit is trained."""

    KIND = "rp3"
    __slots__ = ()


class BenchmarkConfigKey(Key):
    """What a benchmark measures."""

    KIND = "bc3"
    __slots__ = ()


class HardwareKey(Key):
    """What a benchmark is measured on."""

    KIND = "hw3"
    __slots__ = ()


class BenchmarkKey(Key):
    """One subject under one benchmark configuration on one kind of hardware."""

    KIND = "bk3"
    __slots__ = ()


class SpecKey(Key):
    """What a final training trains."""

    KIND = "sp3"
    __slots__ = ()


class ExecKey(Key):
    """What a final training runs on: code, packages, precision."""

    KIND = "xp3"
    __slots__ = ()


class ConversionKey(Key):
    """One conversion of one model."""

    KIND = "cv3"
    __slots__ = ()


class RunKey(Key):
    """One run: stage, subject and attempt within a project."""

    KIND = "rk3"
    __slots__ = ()
