"""Where a parent and its child leave files for each other."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..domain.errors import ChildResultMissing, FoldsInvalid, RunContextInvalid, RunEnded
from ..domain.folds import Fold
from ..domain.redaction import redact
from ..domain.run_context import LONGEST_INLINE, ContextFold, StopWord

_PRIVATE: Final = 0o600
_LAST_WORDS: Final = 4096


class ParentFolder:
    """The parent's side: a folder of one child, removed when it was waited for."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, mode=0o700)
        self._folder = folder
        self.result_path = folder / "result.json"
        self.control_path = folder / "control"
        self.output_path = folder / "output.log"

    def hand_over(self, document: bytes) -> str:
        """The variable's value: the document, or where it lies when it is long. Nobody else may read that file."""
        if len(document) <= LONGEST_INLINE:
            return document.decode()
        path = self._folder / "context.json"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
            file.write(document)
        return str(path)

    def write_indices(self, fold: Fold) -> Path:
        """Put the split where the child finds it."""
        path = self._folder / "indices.json"
        path.write_text(json.dumps({"train": fold.train, "validation": fold.validation}), encoding="utf-8")
        return path

    def say(self, word: StopWord) -> None:
        """Tell the child, once and for all."""
        write_whole(self.control_path, word.encode())

    def result(self) -> bytes:
        """What the child has left. Raises ChildResultMissing."""
        try:
            return self.result_path.read_bytes()
        except OSError as error:
            raise ChildResultMissing(
                "the child process left no result",
                cure="call context.finish(...) before it ends, in rank 0",
            ) from error

    def last_words(self) -> str:
        """The last line that the child wrote, without secrets."""
        with self.output_path.open("rb") as file:
            file.seek(max(0, self.output_path.stat().st_size - _LAST_WORDS))
            lines = file.read().decode(errors="replace").splitlines()
        return redact(next((line.strip() for line in reversed(lines) if line.strip()), ""))

    def output(self) -> Path | None:
        """All that the child wrote, without secrets; None when it wrote nothing."""
        if not self.output_path.stat().st_size:
            return None
        clean = self._folder / "clean" / self.output_path.name
        clean.parent.mkdir()
        with (
            self.output_path.open(encoding="utf-8", errors="replace", newline="") as raw,
            clean.open("w", encoding="utf-8", newline="") as file,
        ):
            file.writelines(map(redact, raw))
        return clean

    def remove(self) -> None:
        """Remove it with all files."""
        shutil.rmtree(self._folder, ignore_errors=True)


def read_document(said: str) -> str | bytes:
    """The document of the variable's value. Raises RunContextInvalid when the file is not there."""
    if said.lstrip().startswith("{"):
        return said
    try:
        return Path(said).read_bytes()
    except (OSError, ValueError) as error:
        raise RunContextInvalid(
            "the run context names a file that cannot be read",
            cure="hand over the document itself, or a path that the child can read",
        ) from error


def read_fold(fold: ContextFold) -> Fold:
    """The split that the parent has put there. Raises RunContextInvalid when it is not the one of the digest."""
    try:
        indices = json.loads(Path(fold.indices_path or "").read_bytes())
        found = Fold.of(fold.index, indices["train"], indices["validation"])
    except (OSError, ValueError, KeyError, TypeError, FoldsInvalid) as error:
        raise RunContextInvalid(
            f"the indices of fold {fold.index} cannot be read", cure="leave the parent's files where they are"
        ) from error
    if found.digest != fold.digest:
        raise RunContextInvalid(
            f"the indices of fold {fold.index} are not those of its digest",
            cure="leave the parent's files as they are",
        )
    return found


def read_control(path: Path) -> StopWord | None:
    """What the parent has said so far."""
    try:
        return StopWord(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_result(path: Path, result: bytes) -> None:
    """Leave the result, whole. Raises RunEnded when there is one already."""
    if path.exists():
        raise RunEnded("the run has its result already", cure="call context.finish(...) once, in one process")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, result)


def sizes_below(folder: Path) -> dict[str, int]:
    """The sizes of all files below a folder, by path; none when there is no folder."""
    return dict(_sizes(folder))


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.stat().st_size


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that others see whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
