"""A tree of files as validation sees it, and the one way to refuse it."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import NoReturn, Protocol

from .errors import ArtifactInvalid


class InvalidReason(StrEnum):
    """Why files are not what their kind demands."""

    EMPTY = "EMPTY"
    MISSING_CONFIG = "MISSING_CONFIG"
    MISSING_WEIGHTS = "MISSING_WEIGHTS"
    MISSING_SHARD = "MISSING_SHARD"
    BAD_JSON = "BAD_JSON"
    BAD_INDEX = "BAD_INDEX"
    TRUNCATED = "TRUNCATED"
    NOT_AN_OBJECT = "NOT_AN_OBJECT"
    NO_NUMBER = "NO_NUMBER"
    NOT_FINITE = "NOT_FINITE"
    WRONG_SHAPE = "WRONG_SHAPE"
    UNRECOGNISED = "UNRECOGNISED"
    LINK_ESCAPES = "LINK_ESCAPES"


class TreeView(Protocol):
    """The files of an artifact, wherever they lie. A single file is a tree of its own name."""

    @property
    def paths(self) -> tuple[str, ...]:
        """POSIX paths below the root, sorted by their UTF-8 bytes."""
        ...

    def size(self, path: str) -> int:
        """The size in bytes."""
        ...

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes from `start`; fewer than `length` where the file ends."""
        ...

    def yaml(self, path: str) -> object:
        """The file parsed as safe YAML; raises ValueError. The view's, since parsers are adapters."""
        ...


def refuse(reason: InvalidReason, path: str, problem: str) -> NoReturn:
    """Raise ArtifactInvalid."""
    place = f"{path}: " if path else ""
    raise ArtifactInvalid(f"{place}{problem} [{reason}]", cure=_CURES[reason], reason=str(reason), path=path)


def read_json(tree: TreeView, path: str) -> object:
    """A UTF-8 JSON file, strictly; raises ArtifactInvalid (EMPTY, BAD_JSON)."""
    return parse_json(read_whole(tree, path), path)


def read_object(tree: TreeView, path: str) -> dict[str, object]:
    """A JSON object; raises ArtifactInvalid (EMPTY, BAD_JSON, NOT_AN_OBJECT)."""
    value = read_json(tree, path)
    if not isinstance(value, dict):
        refuse(InvalidReason.NOT_AN_OBJECT, path, "the JSON is no object")
    return value


def read_whole(tree: TreeView, path: str) -> bytes:
    """All bytes of a file; raises ArtifactInvalid (EMPTY)."""
    if tree.size(path) == 0:
        refuse(InvalidReason.EMPTY, path, "the file is empty")
    return tree.read(path)


def parse_json(content: bytes, path: str, *, allow_nan: bool = False) -> object:
    """JSON in UTF-8, parsed; raises ArtifactInvalid (BAD_JSON)."""
    try:
        return json.loads(content.decode(), parse_constant=None if allow_nan else _no_constant)
    except (ValueError, RecursionError):
        refuse(InvalidReason.BAD_JSON, path, "the file is not JSON in UTF-8")


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_LOOK = "look at the file; store a whole one, or kind='any' if it is nothing of the kind"
_CURES: dict[InvalidReason, str] = {
    InvalidReason.EMPTY: "store files with content",
    InvalidReason.MISSING_CONFIG: "add config.json, or name the profile 'single' for bare weights",
    InvalidReason.MISSING_WEIGHTS: "add the weights, or store it as kind='any' if it is not a checkpoint",
    InvalidReason.MISSING_SHARD: "add the shards that the index names",
    InvalidReason.BAD_JSON: _LOOK,
    InvalidReason.BAD_INDEX: _LOOK,
    InvalidReason.TRUNCATED: "write the file again, then store it",
    InvalidReason.NOT_AN_OBJECT: _LOOK,
    InvalidReason.NO_NUMBER: "give at least one number, or store it as kind='metadata'",
    InvalidReason.NOT_FINITE: "leave values out that are not numbers",
    InvalidReason.WRONG_SHAPE: "store one file, or kind='any' for more",
    InvalidReason.UNRECOGNISED: "name a profile, or store it as kind='any' if it is not a checkpoint",
    InvalidReason.LINK_ESCAPES: "put the file itself in the folder, or exclude the link",
}
