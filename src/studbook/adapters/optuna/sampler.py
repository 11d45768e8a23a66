"""The sampler port over Optuna."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ...domain.errors import StudyInvalid
from ...domain.search_space import SearchSpace
from ...domain.study import Pruning, StudyDefinition
from ...ports.sampler import SampledStudy
from .grid import GridOrder
from .pruners import pruner_of
from .samplers import sampler_of
from .search_space import OptunaSpace
from .storage import close_database, database_storage
from .study import OptunaStudy
from .vendor_errors import storage_in_use

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

_SEEDS = range(2**32)


class OptunaSampler:
    """Opens studies by their key. `storage_url` says in which database, or None: in this sampler's memory."""

    def __init__(self, storage_url: Callable[[StudyDefinition], str | None]) -> None:
        self._storage_url = storage_url
        self._memory: BaseStorage | None = None

    def open(self, study: StudyDefinition, seed: int | None) -> SampledStudy:
        """The study, new or resumed. Raises StudyInvalid, or SweepError if its storage does not answer."""
        if not isinstance(study.space, SearchSpace):
            raise StudyInvalid(
                "a space defined by the training code cannot be asked for points",
                cure="declare the search space, or let Optuna run the study and record it",
            )
        if seed is not None and seed not in _SEEDS:
            raise StudyInvalid(f"{seed} is no seed of Optuna", cure="use 0 to 4294967295")
        _quieten()
        return self._open(study, OptunaSpace(study.space), seed)

    def _open(self, study: StudyDefinition, space: OptunaSpace, seed: int | None) -> SampledStudy:
        from optuna import create_study

        is_grid = study.sampling.algorithm == "grid"
        # Not by the session's seed: a resumed study goes on in the same order.
        grid = GridOrder(space.grid(), int(study.key.short, 16)) if is_grid else None
        sampler = sampler_of(
            study.sampling.algorithm,
            study.sampling.options,
            objectives=len(study.objectives),
            seed=seed,
        )
        pruning = study.pruning or Pruning(algorithm="none")
        with ExitStack() as opened:
            storage = self._storage(study, opened)
            with storage_in_use():
                vendor_study = create_study(
                    storage=storage,
                    sampler=sampler,
                    pruner=pruner_of(pruning.algorithm, pruning.options),
                    study_name=study.key,
                    directions=[each.direction.value for each in study.objectives],
                    load_if_exists=True,
                )
            return OptunaStudy(vendor_study, storage, space, grid, close=opened.pop_all().close)

    def _storage(self, study: StudyDefinition, opened: ExitStack) -> BaseStorage:
        from optuna.storages import InMemoryStorage

        url = self._storage_url(study)
        if url is not None:
            database = database_storage(url)
            opened.callback(close_database, database)
            return database
        if self._memory is None:
            self._memory = InMemoryStorage()
        return self._memory


def _quieten() -> None:
    """Optuna reports each study on stderr by default; a level that the user has set is left alone."""
    from optuna import logging

    if logging.get_verbosity() == logging.INFO:
        logging.set_verbosity(logging.WARNING)
