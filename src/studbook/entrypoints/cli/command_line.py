"""What every verb is given: the settings, the options before the verb, and where to answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .output import Output

if TYPE_CHECKING:
    from ...config.settings import LoadedSettings
    from ..studbook import Studbook


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The options before the verb."""

    as_json: bool = False
    tracking_uri: str | None = None
    home: Path | None = None
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One call of one verb."""

    loaded: LoadedSettings
    options: GlobalOptions
    output: Output

    def open_book(self, *, long: bool = False) -> Studbook:
        """The book of this call. A short verb delivers in this process, which reads the store anyway, instead of
        starting a relay process; a `long` one as the settings say, so that its runs are seen while it works.
        """
        from dataclasses import replace

        from ..studbook import Studbook

        settings = self.loaded.settings
        if long or settings.delivery.mode != "sidecar":
            return Studbook.of(self.loaded)
        inline = settings.delivery.model_copy(update={"mode": "inline"})
        here = settings.model_copy(update={"delivery": inline})
        return Studbook.of(replace(self.loaded, settings=here))


def prepare(options: GlobalOptions) -> CommandLine:
    """Load the settings and set logging up. Raises ConfigError."""
    import sys

    from ...config.logging import configure_logging
    from ...config.settings import load_settings

    overrides = {
        "tracking.uri": options.tracking_uri,
        "home": None if options.home is None else str(options.home),
    }
    loaded = load_settings(overrides=overrides, config=options.config, caller="the command line")
    configure_logging(loaded.settings.log.level, sys.stderr, as_json=options.as_json)
    return CommandLine(loaded, options, Output(options.as_json))
