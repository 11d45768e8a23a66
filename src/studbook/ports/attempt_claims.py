"""Numbers of attempts, each given once in a home."""

from __future__ import annotations

from typing import Protocol


class AttemptClaims(Protocol):
    """Claims outlive this process where the home does. They are never given back: attempts may have gaps."""

    def claim(self, subject: bytes, attempt: int) -> int:
        """Claim this attempt of a subject (its canonical form), or the first later one that nobody has.

        No two calls for one subject get the same number, in whichever thread or process of the home. Raises
        HomeUnusable.
        """
        ...
