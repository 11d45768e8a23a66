"""The relay process: `python -m studbook.entrypoints.relay_process`, told on its stdin what to deliver where."""

from __future__ import annotations

import pickle
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING

from .own_process import settle_in

if TYPE_CHECKING:
    from ..config.settings import LoadedSettings

MODULE = "studbook.entrypoints.relay_process"


def main() -> int:
    """Serve until nothing is left to do. The settings come pickled from the process that started this one."""
    loaded: LoadedSettings = pickle.load(sys.stdin.buffer)  # noqa: S301  our own parent's words
    settle_in()

    from importlib.metadata import version

    from ..config.container import Container
    from ..config.logging import configure_logging

    configure_logging("info", sys.stderr, as_json=True)
    service = Container(loaded=loaded, version=version("studbook")).relay_service()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        service.stop()

    signal.signal(signal.SIGTERM, stop)
    service.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
