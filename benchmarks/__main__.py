"""`python -m benchmarks [--json] [NAME…]`: run the named benchmarks, or all."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from . import acquire, delivery, identity, imports, journal, log_metrics, select, training
from .figure import Figure

BENCHMARKS: dict[str, Callable[[Path], list[Figure]]] = {
    "identity": identity.run,
    "log_metrics": log_metrics.run,
    "training": training.run,
    "journal": journal.run,
    "delivery": delivery.run,
    "acquire": acquire.run,
    "select": select.run,
    "import": imports.run,
}
"""By name; each is given an empty folder of its own."""

_PACKAGES = ("studbook", "mlflow", "pydantic", "msgspec", "rfc8785")
_PEERS_AT_THEIR_BEST = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


def main() -> None:
    """Figures on stdout, progress on stderr; a missed bar is a figure too, and no error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}, but {', '.join(BENCHMARKS)}")
    for name, value in _PEERS_AT_THEIR_BEST.items():
        os.environ.setdefault(name, value)
    found: dict[str, list[Figure]] = {}
    for name in given.names or BENCHMARKS:
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=f"studbook-bench-{name}-") as folder:
            found[name] = BENCHMARKS[name](Path(folder))
        if not given.json:
            print(name, *(f"  {figure.line()}" for figure in found[name]), sep="\n", flush=True)
    if given.json:
        print(json.dumps(_document(found), ensure_ascii=False, indent=2))


def _document(found: dict[str, list[Figure]]) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "packages": {name: version(name) for name in _PACKAGES},
        "benchmarks": {name: [figure.document() for figure in figures] for name, figures in found.items()},
    }


if __name__ == "__main__":
    main()
