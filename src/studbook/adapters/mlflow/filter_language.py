"""What of MLflow's filter language a backend takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PUSHABLE_KEY = re.compile(r"[A-Za-z0-9_.]+")
_PLAIN_PART = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = re.compile(
    r"all|and|as|asc|between|by|case|desc|distinct|else|end|exists|false|from|group|having|ilike|in|is|join|like|limit"
    r"|not|null|offset|on|or|order|select|set|then|true|union|using|values|when|where|with",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class FilterLanguage:
    """`statuses`: it filters by status. `escaped_keys`: a key may stand in backticks. `quoted_numbers`: the numbers
    of attributes must stand in quotes.
    """

    statuses: bool = True
    escaped_keys: bool = True
    quoted_numbers: bool = False

    def key(self, kind: str, key: str) -> str | None:
        """How a tag or param is named in a filter; None when it cannot be."""
        if self.escaped_keys:
            # Backticks always, because a part of a key may be a word or a number of the filter's grammar.
            return f"{kind}.`{key}`" if _PUSHABLE_KEY.fullmatch(key) else None
        return f"{kind}.{key}" if all(map(_is_plain, key.split("."))) else None

    def number(self, value: int) -> str:
        """How the number of an attribute is written."""
        return f"'{value}'" if self.quoted_numbers else str(value)


def _is_plain(part: str) -> bool:
    return _PLAIN_PART.fullmatch(part) is not None and not _WORDS.fullmatch(part)


MLFLOW = FilterLanguage()
"""MLflow's own: all of it."""
