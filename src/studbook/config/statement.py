"""One setting as one source says it, and the flattening of nested settings into such statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .origin import Origin

KeyPath = tuple[str, ...]

PREFIX = "STUDBOOK_"
DELIMITER = "__"


def variable_name(key: KeyPath) -> str:
    """The environment variable that sets a key."""
    return PREFIX + DELIMITER.join(key).upper()


@dataclass(frozen=True, slots=True)
class Statement:
    """A key, the value that a source gives it (no mapping, unless an empty one), and who said so."""

    key: KeyPath
    value: object = field(repr=False)
    origin: Origin


def statements(tree: Mapping[str, object], origin: Origin, below: KeyPath = ()) -> Iterator[Statement]:
    """The leaves of a nested mapping, in its order."""
    for name, value in tree.items():
        key = (*below, name)
        if isinstance(value, Mapping) and value:
            yield from statements(value, origin, key)
        else:
            yield Statement(key, value, origin)
