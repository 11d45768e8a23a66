"""The settings: every key with its type. The defaults stand in `defaults/*.yaml`, and nowhere else."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ..domain.naming import NamingTemplates
from ..domain.stage import Stage
from ..domain.value import Value
from ..domain.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from .statement import DELIMITER, PREFIX

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_SECONDS_IN = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        raise ValueError("a duration is a number of seconds, or a number with s, m, h or d")
    return float(found[1]) * _SECONDS_IN[found[2]]


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, allow_inf_nan=False)]


class Tracking(Value):
    """Where events are delivered to; `uri` may hold credentials."""

    uri: str | None = Field(repr=False)


class Delivery(Value):
    """Who carries events from the journal to the stores, and how long leaving a book waits, in seconds."""

    mode: Literal["inline", "manual"]
    exit_timeout: Seconds


class Sweep(Value):
    """What a sweep does unless its call says otherwise."""

    workers: int = Field(ge=1)
    max_consecutive_failures: int = Field(ge=1)
    duplicates: Literal["reuse", "rerun"]
    fold_runs: bool


class RunNames(Value):
    """Templates of run names, by stage."""

    hpo_sweep: str
    hpo_trial: str
    hpo_fold: str
    hpo_refit: str
    benchmark: str
    selection: str
    final_training: str
    conversion: str


class Naming(Value):
    """How runs, champion pointers and experiments are named, from `naming.yaml`."""

    hex_length: int
    max_length: int
    experiment: str
    pointer: str
    runs: RunNames

    def templates(self) -> NamingTemplates:
        """The checked templates. Raises ConfigError for what a name cannot be made from."""
        return NamingTemplates(
            runs={Stage(stage): template for stage, template in self.runs.model_dump().items()},
            pointer=self.pointer,
            experiment=self.experiment,
            hex_length=self.hex_length,
            max_length=self.max_length,
        )


class CustomTag(Value):
    """A tag of the project's own, and the stages that may carry it."""

    key: str
    stages: frozenset[Stage]


class Tags(Value):
    """Where studbook's tags are written, and which tags users may set, from `tags.yaml`."""

    schema_version: Literal[3]
    keys: dict[str, str]
    aliases: dict[str, tuple[str, ...]]
    user_tags: Literal["open", "declared"]
    custom: dict[str, CustomTag]

    def vocabulary(self) -> Vocabulary:
        """The tag vocabulary with this project's keys. Raises ConfigError."""
        return DEFAULT_VOCABULARY.remapped(self.keys, self.aliases)

    def declared(self) -> dict[str, frozenset[Stage]] | None:
        """The only keys that users may set, with their stages; None when they may set any."""
        return None if self.user_tags == "open" else {tag.key: tag.stages for tag in self.custom.values()}


class ArtifactStorage(Value):
    """What is left out of a stored tree: globs of one path component."""

    exclude: tuple[str, ...]


class Artifacts(Value):
    """How files are stored."""

    store: ArtifactStorage


class Log(Value):
    """The command line's log. A program that uses the library sets up its own."""

    level: Literal["debug", "info", "warning", "error"]


class Settings(BaseSettings):
    """All settings, validated. Built by `load_settings`: constructing one reads no environment and no file.

    `selection` is the mapping as it stands; SelectionConfig parses it.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        env_ignore_empty=True,
    )

    project: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    experiment: str | None
    environment: str | None
    created_by: str
    home: str | None
    tracking: Tracking
    delivery: Delivery
    sweep: Sweep
    naming: Naming
    tags: Tags
    selection: dict[str, JsonValue]
    artifacts: Artifacts
    log: Log

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)
