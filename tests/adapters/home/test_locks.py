from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studbook.adapters.home.locks import HomeLocks
from studbook.domain.errors import HomeUnusable
from studbook.ports.contract.locks import LocksContract
from studbook.ports.locks import Locks

_HOLDER = """
import sys, pathlib, time
from studbook.adapters.home.locks import HomeLocks
with HomeLocks(pathlib.Path(sys.argv[1])).hold("study-1", 0.0) as held:
    print(held, flush=True)
    time.sleep(600)
"""


class TestHomeLocks(LocksContract):
    @pytest.fixture
    def locks(self, tmp_path: Path) -> Locks:
        return HomeLocks(tmp_path / "home")


def test_another_process_holds_it_until_it_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline().strip() == "True"
        with HomeLocks(tmp_path).hold("study-1", 0.0) as held:
            assert not held
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(30)
        holder.stdout.close()
    with HomeLocks(tmp_path).hold("study-1", 30.0) as held:
        assert held


def test_a_home_below_a_file_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable, match="cannot be made"), HomeLocks(tmp_path / "file").hold("a", 0.0):
        pass
