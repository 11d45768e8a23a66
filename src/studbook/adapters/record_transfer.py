"""Small service files over any place that holds a run's files: each is written once, whatever broke off before."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from ..domain.artifact_names import check_path
from ..domain.artifact_placement import attempt_path, is_record_path, newest_attempts
from ..domain.errors import ArtifactNotFound, IntegrityError

if TYPE_CHECKING:
    from .artifact_transfer import RunFiles


def put_record(files: RunFiles, path: str, content: bytes, *, overwrites: bool) -> None:
    """Store a small file once. Raises IntegrityError when other content is at the path.

    On a write-once backend the path of a record whose upload broke off stays taken: the next attempt gets its own.
    """
    check_path(path)
    for attempt in count(1):
        there = attempt_path(path, attempt)
        if files.create(there, content):
            return
        held = held_bytes(files, there)
        if held == content:
            return
        broke_off = not overwrites and is_record_path(path) and content.startswith(held or b"")
        if not broke_off:
            raise IntegrityError(
                f"the run holds {path} with other content, and records are written once",
                cure="find out which process wrote it; a new run takes new records",
                path=path,
            )


def read_record(files: RunFiles, path: str) -> bytes:
    """A small file's content on a write-once backend: that of its newest attempt. Raises ArtifactNotFound."""
    if not is_record_path(path):
        return files.read(path)
    *later, plain = newest_attempts(path, files.sizes())
    for attempt in later:
        if held := held_bytes(files, attempt):
            return held
    return files.read(plain)


def held_bytes(files: RunFiles, path: str) -> bytes | None:
    """A small file's content; None when the path has none, which a listing need not tell."""
    try:
        return files.read(path)
    except ArtifactNotFound:
        return None
