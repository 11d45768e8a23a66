"""Run a contract suite by hand: which of its promises does this object break?

For the tests of the suites themselves: a suite is worth what the broken adapters are that it refuses.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable


def violations(suite: object, **fixtures: Callable[[], object]) -> set[str]:
    """The names of the suite's tests that fail. Each fixture is made anew for each test that asks for it."""
    failed = set()
    for name, test in inspect.getmembers(suite, inspect.ismethod):
        if name.startswith("test_"):
            given = {asked: fixtures[asked]() for asked in inspect.signature(test).parameters}
            try:
                test(**given)
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001 `pytest.fail` is no Exception
                failed.add(name)
    return failed
