"""Values too long for a backend: their bytes become a file of the run, and a digest stands in their place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace

from ..domain.errors import ArtifactNotFound, SpillMissing
from ..domain.store_writes import RecordBatch
from ..domain.stored_run import StoredRun
from ..ports.artifact_store import ArtifactStore
from ..ports.capabilities import Capabilities
from ..ports.run_source import FileSource

SPILL_FOLDER = "studbook/spill/"
"""Where the values lie among a run's artifacts."""

_PREFIX = "spill:"
_OURS = "spill:sha256:"
_MARK = re.compile(r"spill:sha256:([0-9a-f]{64})")


def spill(batch: RecordBatch, run_id: str, limits: Capabilities, artifacts: ArtifactStore) -> RecordBatch:
    """The batch with every over-long value stored as `studbook/spill/<hex>` and replaced by its digest.

    A value that itself begins with the mark is spilled too, so that reading is unambiguous.
    """
    return replace(
        batch,
        params=_shorten(batch.params, limits.param_value_length, run_id, artifacts),
        tags=_shorten(batch.tags, limits.tag_value_length, run_id, artifacts),
    )


def is_spilled(text: str, longest: int) -> bool:
    """Whether a value of the user's or ours cannot stand as it is; `longest` is in characters."""
    return len(text) > longest or text.startswith(_PREFIX)


def _shorten(
    values: Mapping[str, str], longest: int, run_id: str, artifacts: ArtifactStore
) -> dict[str, str]:
    short = dict(values)
    for key, text in values.items():
        if is_spilled(text, longest):
            short[key] = f"{_OURS}{put_spilled(run_id, text.encode(), artifacts)}"
    return short


def put_spilled(run_id: str, content: bytes, artifacts: ArtifactStore) -> str:
    """Keep the bytes in a file of the run; its digest."""
    digest = hashlib.sha256(content).hexdigest()
    artifacts.put_record(run_id, _path(digest), content)
    return digest


def join(run: StoredRun, artifacts: FileSource) -> StoredRun:
    """The run with every spilled value back in its place, verified. Raises SpillMissing.

    What only looks like a mark is another program's value, and stays.
    """
    # All texts at once: of very many runs, a loop over the texts of each takes longer than their parsing.
    if _OURS not in "\n".join((*run.tags.values(), *run.params.values())):
        return run
    return replace(run, tags=_restore(run, run.tags, artifacts), params=_restore(run, run.params, artifacts))


def _restore(run: StoredRun, values: Mapping[str, str], artifacts: FileSource) -> dict[str, str]:
    return {
        key: _fetch(run, key, text, artifacts) if text.startswith(_OURS) else text
        for key, text in values.items()
    }


def _fetch(run: StoredRun, key: str, mark: str, artifacts: FileSource) -> str:
    marked = _MARK.fullmatch(mark)
    if marked is None:
        raise _missing(run, key, "is named by a mark that was altered")
    return fetch_spilled(run, key, marked[1], artifacts).decode()


def fetch_spilled(run: StoredRun, key: str, digest: str, artifacts: FileSource) -> bytes:
    """The bytes of this digest, verified; `key` is what they are of. Raises SpillMissing."""
    try:
        content = artifacts.read(run.run_id, _path(digest))
    except ArtifactNotFound as error:
        raise _missing(run, key, "is gone") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise _missing(run, key, "was altered")
    return content


def _path(digest: str) -> str:
    return f"{SPILL_FOLDER}{digest}"


def _missing(run: StoredRun, key: str, what: str) -> SpillMissing:
    return SpillMissing(
        f"the long value of {key!r} on run {run.run_id} {what}",
        cure="restore the run's artifacts below studbook/spill/",
        run=run.run_id,
        key=key,
    )
