"""Folders that are named by a short form of a key, and know the whole of it."""

from __future__ import annotations

from pathlib import Path

from ...domain.errors import HomeUnusable
from ...domain.keys import Key

_FILE = "key"


def keyed_folder(parent: Path, key: Key) -> Path:
    """The folder of a key below `parent`, made if it is not there; its file `key` holds the full text.

    Raises HomeUnusable when the folder cannot be made, or is another key's.
    """
    folder = parent / key.folder
    file = folder / _FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("x", encoding="utf-8") as created:
                created.write(f"{key}\n")
        except FileExistsError:
            pass
        held = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise HomeUnusable(
            f"{folder} cannot be used: {error.strerror}",
            cure="choose another place with --home or STUDBOOK_HOME, or mend its permissions",
            path=str(folder),
        ) from error
    # Empty: its maker is about to write it.
    if held and held != key:
        raise HomeUnusable(
            f"{folder} belongs to the key {held}, and not to {key}",
            cure="use another home for one of the two: their first 16 digits are the same",
            path=str(folder),
        )
    return folder
