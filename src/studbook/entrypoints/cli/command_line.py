"""What every verb is given: the settings, the options before the verb, and where to answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from .output import Output

if TYPE_CHECKING:
    from ...config.settings import LoadedSettings


class BookArguments(TypedDict):
    """The options before the verb, as `Studbook.open` takes them."""

    tracking_uri: str | None
    home: Path | None
    config: Path | None


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

    @property
    def book_arguments(self) -> BookArguments:
        """For a verb that opens a book: `Studbook.open(**cli.book_arguments)`."""
        return BookArguments(
            tracking_uri=self.options.tracking_uri, home=self.options.home, config=self.options.config
        )


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
