"""Benchmarks, side by side with the peers in one run: `python -m benchmarks`."""

import sys
from pathlib import Path

# The servers, and the faults, that the tests are made with serve here too.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
