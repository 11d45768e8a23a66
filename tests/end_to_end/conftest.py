"""The demo, lived through once for all tests of this folder."""

from __future__ import annotations

import pytest

from end_to_end.demo_run import DemoRun, run_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """The demo on an SQLite store, in an empty folder."""
    return run_demo(tmp_path_factory.mktemp("demo"))
