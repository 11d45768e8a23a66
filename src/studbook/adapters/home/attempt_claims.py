"""Attempt claims as empty files of the home, each created by exactly one process."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...domain.errors import HomeUnusable


class HomeAttemptClaims:
    """`<home>/claims/<16 hex digits of the subject's SHA-256>-<attempt>`: creating a file twice fails."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "claims"

    def claim(self, subject: bytes, attempt: int) -> int:
        """See AttemptClaims."""
        name = hashlib.sha256(subject).hexdigest()[:16]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            while not _created(self._folder / f"{name}-{attempt}"):
                attempt += 1
        except OSError as error:
            raise HomeUnusable(
                f"{self._folder} takes no claims: {error.strerror}",
                cure="choose another place with --home or STUDBOOK_HOME, or mend its permissions",
                path=str(self._folder),
            ) from error
        return attempt


def _created(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
