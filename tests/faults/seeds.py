"""How many times a test that draws is repeated: 5 by default, 50 with HYPOTHESIS_PROFILE=thorough."""

from __future__ import annotations

import os

import pytest

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
SEEDS = range(50 if THOROUGH else 5)

every_seed = pytest.mark.parametrize("seed", SEEDS)
