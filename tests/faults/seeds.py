"""How many times a test that kills at random is repeated: 5 by default, 50 with HYPOTHESIS_PROFILE=thorough."""

from __future__ import annotations

import os

import pytest

SEEDS = range(50 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 5)

every_seed = pytest.mark.parametrize("seed", SEEDS)
