"""The manifest of an artifact: which files, how big, with which digests."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Literal

import rfc8785
from pydantic import ConfigDict, Field, JsonValue

from .keys import RunKey, StudyKey, TrialKey
from .stage import Stage
from .value import Value


class ArtifactKind(StrEnum):
    """What an artifact is, and so what makes it valid."""

    CHECKPOINT = "checkpoint"
    MODEL = "model"
    METADATA = "metadata"
    CONFIG = "config"
    METRICS = "metrics"
    LOGS = "logs"
    ANY = "any"


class ManifestFile(Value):
    """One file: POSIX path relative to the artifact's root, size in bytes, SHA-256."""

    path: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    exec: bool = False


class ArtifactManifest(Value):
    """What a run stored under one artifact name. Written after all files: no manifest, no artifact.

    `content_digest` identifies the content, whichever run stored it; build manifests with `manifest_of`,
    which computes it.
    """

    schema_: Literal["studbook.manifest/1"] = Field("studbook.manifest/1", alias="schema")
    origin: Literal["run", "local"] = "run"
    name: str
    kind: ArtifactKind
    profile: str | None = None
    revision: int = Field(1, ge=1)
    run_key: RunKey | None
    stage: Stage | None
    study_key: StudyKey | None = None
    trial_key: TrialKey | None = None
    role: str = "other"
    files: tuple[ManifestFile, ...] = Field(min_length=1)
    file_count: int
    total_size: int
    excluded: tuple[str, ...] = ()
    content_digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    layout: Literal["tree"] = "tree"
    created_at: str
    studbook: str

    model_config = ConfigDict(populate_by_name=True)

    def model_post_init(self, _context: object, /) -> None:
        if self.file_count != len(self.files) or self.total_size != sum(f.size for f in self.files):
            raise ValueError("file_count and total_size must be those of the files")
        if self.content_digest != content_digest(self.files):
            raise ValueError("content_digest is not that of the files")

    @property
    def is_single_file(self) -> bool:
        """Whether the artifact is one file lying at its own name, not a directory."""
        return len(self.files) == 1 and self.files[0].path == self.name.rsplit("/", 1)[-1]

    @property
    def stored_name(self) -> str:
        """The name that its files lie under in the store: from the second revision on, with a suffix."""
        return self.name if self.revision == 1 else f"{self.name}.a{self.revision:03d}"

    @property
    def manifest_path(self) -> str:
        """Where the manifest lies in the run's artifacts."""
        return f"studbook/manifests/{self.stored_name}.json"

    def to_bytes(self) -> bytes:
        """Canonical JSON, UTF-8."""
        return rfc8785.dumps(self.model_dump(mode="json", by_alias=True))

    @classmethod
    def from_bytes(cls, content: bytes) -> ArtifactManifest:
        """Parse; raises pydantic's ValidationError when it is no manifest or contradicts itself."""
        return cls.model_validate_json(content)


def content_digest(files: tuple[ManifestFile, ...]) -> str:
    """`sha256:<hex>` of the canonical JSON of path, sha256 and size of each file, sorted by path bytes."""
    rows: list[JsonValue] = [
        {"path": f.path, "sha256": f.sha256, "size": f.size}
        for f in sorted(files, key=lambda f: f.path.encode())
    ]
    return f"sha256:{hashlib.sha256(rfc8785.dumps(rows)).hexdigest()}"
