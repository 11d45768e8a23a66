"""The receipt file of a destination, kept outside of the delivered tree."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import rfc8785
from pydantic import Field

from ...domain.acquisition import Receipt
from ...domain.manifest import ArtifactManifest
from ...domain.value import Value

Stamp = tuple[str, str, str, str]
"""Device, inode, size and mtime in nanoseconds, as decimal text: too large for JSON numbers."""


class ReceiptFile(Value):
    """`<parent>/.studbook-acquired/<base>.json`: what was delivered, and how its files looked then."""

    schema_: Literal["studbook.receipt-file/1"] = Field("studbook.receipt-file/1", alias="schema")
    manifest: ArtifactManifest
    receipt: Receipt
    stamps: dict[str, Stamp]

    def to_bytes(self) -> bytes:
        """Canonical JSON, UTF-8."""
        return rfc8785.dumps(self.model_dump(mode="json", by_alias=True))


def file_stamp(path: Path) -> Stamp:
    """How a file looks on disk now; ctime is left out, since a hard link changes it."""
    status = path.stat(follow_symlinks=False)
    return (str(status.st_dev), str(status.st_ino), str(status.st_size), str(status.st_mtime_ns))
