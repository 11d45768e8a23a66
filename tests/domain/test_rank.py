"""Ranks: said by the caller, by RANK, or by a launcher that the settings name; never guessed."""

from __future__ import annotations

import pytest

from studbook.domain.errors import InvalidInput
from studbook.domain.rank import Launcher, rank_of


@pytest.mark.parametrize(
    ("environ", "given", "launcher", "rank"),
    [
        ({}, None, None, 0),
        ({"RANK": "2"}, None, None, 0),
        ({"RANK": "2", "WORLD_SIZE": "1"}, None, None, 0),
        ({"RANK": "2", "WORLD_SIZE": "4"}, None, None, 2),
        ({"RANK": "2", "WORLD_SIZE": "4"}, 1, None, 1),
        ({"RANK": "2", "WORLD_SIZE": "4", "SLURM_PROCID": "3"}, None, "slurm", 2),
        ({"WORLD_SIZE": "4", "SLURM_PROCID": "3"}, None, "slurm", 3),
        ({"SLURM_PROCID": "3"}, None, None, 0),
        ({"SLURM_PROCID": "3"}, None, "mpi", 0),
        ({"OMPI_COMM_WORLD_RANK": "5", "PMI_RANK": "6"}, None, "mpi", 5),
        ({"PMI_RANK": "6"}, None, "mpi", 6),
        ({"PMI_RANK": "6"}, 0, "mpi", 0),
    ],
)
def test_the_first_that_speaks_decides(
    environ: dict[str, str], given: int | None, launcher: Launcher | None, rank: int
) -> None:
    assert rank_of(environ, given, launcher) == rank


@pytest.mark.parametrize(
    ("environ", "given"),
    [
        ({"RANK": "x", "WORLD_SIZE": "2"}, None),
        ({"RANK": "0", "WORLD_SIZE": "many"}, None),
        ({"RANK": "-1", "WORLD_SIZE": "2"}, None),
        ({}, -1),
    ],
)
def test_what_is_no_rank_is_refused(environ: dict[str, str], given: int | None) -> None:
    with pytest.raises(InvalidInput, match="is no rank"):
        rank_of(environ, given)
