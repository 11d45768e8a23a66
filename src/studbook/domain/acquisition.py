"""Handing over files: what was tried, how far the result can be trusted, and which manifest is meant."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from pydantic import Field

from .manifest import ArtifactKind, ArtifactManifest
from .value import Value


class Trust(StrEnum):
    """What the bytes were checked against.

    VERIFIED: the run's own manifest. SELF_VERIFIED: a manifest with the full identity that lay with the
    files, while the run's could not be read. VALIDATED: there is no manifest; the kind's checks hold.
    """

    VERIFIED = "VERIFIED"
    SELF_VERIFIED = "SELF_VERIFIED"
    VALIDATED = "VALIDATED"


class Source(StrEnum):
    """Where files may be found."""

    DESTINATION = "destination"
    STORE = "store"


class Phase(StrEnum):
    """How far a try came."""

    PROBE = "probe"
    IDENTITY = "identity"
    FETCH = "fetch"
    VERIFY = "verify"
    PUBLISH = "publish"


class Outcome(StrEnum):
    """How a try ended."""

    OK = "OK"
    MISS = "MISS"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"


class Try(Value):
    """One source asked during an acquisition.

    `reason` is an upper-case word, as `DIGEST_MISMATCH` or `INVALID(EMPTY)`; `location` is a run or a path.
    """

    source: Source
    location: str
    phase: Phase
    outcome: Outcome
    reason: str | None = None
    detail: str = ""
    bytes: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)

    def line(self) -> str:
        """One line for people."""
        words = [self.source, self.phase, self.outcome, self.reason or "", self.location, self.detail]
        return " ".join(str(word) for word in words if word)


class Receipt(Value):
    """What was handed over: for whom, from where, and how it was checked. Times are RFC 3339, UTC, ms."""

    schema_: Literal["studbook.receipt/1"] = Field("studbook.receipt/1", alias="schema")
    target: str
    subject: str
    mapping_basis: str | None = None
    kind: ArtifactKind
    name: str
    content_digest: str
    trust: Trust
    source: Source
    tries: tuple[Try, ...]
    bytes_transferred: int = Field(ge=0)
    bytes_reused: int = Field(ge=0)
    materialised: Literal["copy", "none"]
    partial: bool = False
    path: str
    started_at: str
    ended_at: str
    studbook: str


class ManifestAmbiguous(ValueError):
    """Several artifacts could be meant; `names` lists them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


def choose_manifest(
    manifests: Sequence[ArtifactManifest], kind: ArtifactKind, name: str | None
) -> ArtifactManifest | None:
    """The manifest that is meant: of this name, else the only one of the kind, else the one named like it.

    None when the run has no such artifact. Raises ManifestAmbiguous.
    """
    of_kind = [manifest for manifest in manifests if manifest.kind is kind]
    if name is not None:
        return next((manifest for manifest in of_kind if manifest.name == name), None)
    if len(of_kind) <= 1:
        return of_kind[0] if of_kind else None
    named = [manifest for manifest in of_kind if manifest.name == str(kind)]
    if len(named) != 1:
        raise ManifestAmbiguous(sorted(manifest.name for manifest in of_kind))
    return named[0]
