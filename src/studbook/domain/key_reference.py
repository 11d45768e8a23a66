"""Keys as people give them: in full, by their 64 digits, or by the first twelve or more."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import KeyAmbiguous, KeyReferenceInvalid
from .keys import Key

FEWEST_DIGITS = 12

_DIGITS = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},64}}")


@dataclass(frozen=True, slots=True)
class KeyReference:
    """What was given for a key of one kind. Without its prefix it may also mean a legacy key, which has none."""

    given: str
    kind: str
    digits: str
    in_full: bool

    @classmethod
    def parse(cls, given: str, kind: type[Key]) -> KeyReference:
        """Raises KeyReferenceInvalid for another kind, and for what is no 12 to 64 hexadecimal digits."""
        text = given.strip()
        prefix, colon, digits = text.rpartition(":")
        if (colon and prefix != kind.KIND) or not _DIGITS.fullmatch(digits):
            raise KeyReferenceInvalid(
                f"{given!r:.100} names no {kind.KIND} key",
                cure=f"give {kind.KIND}: and 64 digits, or the first {FEWEST_DIGITS} digits or more",
                given=given,
            )
        return cls(given, kind.KIND, digits, in_full=bool(colon))

    def names(self, key: str | None) -> bool:
        """Whether this key may be meant."""
        prefix, _, digits = (key or "").rpartition(":")
        return digits.startswith(self.digits) and prefix in (
            (self.kind,) if self.in_full else (self.kind, "")
        )

    def only(self, keys: Iterable[str | None]) -> str | None:
        """The one key that is meant, or None. Raises KeyAmbiguous, which lists them, when there are several."""
        named = sorted({key for key in keys if key is not None and self.names(key)})
        if len(named) > 1:
            raise KeyAmbiguous(
                f"{self.given!r} begins {len(named)} keys",
                cure=f"give more digits; it may be {', '.join(named)}",
                given=self.given,
                matches=tuple(named),
            )
        return named[0] if named else None
