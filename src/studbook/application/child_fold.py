"""The split of a fold, as a child process gets it."""

from __future__ import annotations

from ..domain.errors import FoldsInvalid
from ..domain.folds import Fold
from ..domain.run_context import ContextFold
from .child_folder import read_fold


class ChildFold:
    """One cross-validation split; `train` and `validation` are row numbers, read and proven on first use."""

    def __init__(self, said: ContextFold) -> None:
        self.index = said.index
        self.count = said.count
        self._said = said
        self._read: Fold | None = None

    @property
    def train(self) -> tuple[int, ...]:
        """The rows to learn from. Raises FoldsInvalid, RunContextInvalid."""
        return self._fold().train

    @property
    def validation(self) -> tuple[int, ...]:
        """The rows to score on; no row is in both. Raises FoldsInvalid, RunContextInvalid."""
        return self._fold().validation

    @property
    def used_digest(self) -> str | None:
        """The digest of the split that was handed out, or None if none was."""
        return self._read.digest if self._read else None

    def _fold(self) -> Fold:
        if self._said.digest is None:
            raise FoldsInvalid(
                "this study was opened without data, so its splits are not known beforehand",
                cure="give the sweep data=, n_samples= or labels=, so that the child gets its rows",
            )
        if self._read is None:
            self._read = read_fold(self._said)
        return self._read
