"""What lies in a folder, to compare before and after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def state_of(folder: Path) -> Callable[[], dict[str, bytes | None]]:
    """Gives every path below the folder, with the content of files."""

    def state() -> dict[str, bytes | None]:
        paths = sorted(folder.rglob("*"))
        return {str(path): path.read_bytes() if path.is_file() else None for path in paths}

    return state
