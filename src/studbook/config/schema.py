"""The settings: every key with its type. The defaults stand in `defaults/*.yaml`, and nowhere else."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ..domain.errors import ConfigError, TagInvalid
from ..domain.naming import NamingTemplates
from ..domain.recorded_values import check_user_tags
from ..domain.stage import Stage
from ..domain.value import Described
from ..domain.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from .statement import DELIMITER, PREFIX

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_DurationText = Annotated[str, Field(pattern=f"^{_DURATION.pattern}$")]
_SECONDS_IN = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        raise ValueError("a duration is a number of seconds, or a number with s, m, h or d")
    return float(found[1]) * _SECONDS_IN[found[2]]


Seconds = Annotated[
    float,
    Field(ge=0, allow_inf_nan=False),
    BeforeValidator(_seconds, json_schema_input_type=Annotated[float, Field(ge=0)] | _DurationText),
]


class Azure(Described):
    """Which Azure ML workspace it is, and how it is reached."""

    subscription_id: str | None
    """The workspace's subscription. With `resource_group` and `workspace_name` it names the target, without a URI."""
    resource_group: str | None
    """The workspace's resource group."""
    workspace_name: str | None
    """The workspace's name."""
    config: str | None
    """The workspace's downloaded `config.json`, which names it as these three do."""
    credential: Literal["default", "job", "environment", "workload-identity", "managed-identity", "cli"]
    """Who studbook is to Azure: `job` the job that it is in, `environment` a service principal of `AZURE_CLIENT_ID` and
    the like, `cli` who has logged in with `az`; `default`: the first of job, environment, workload and managed
    identity, and CLI that there is."""
    cloud: Literal["AzureCloud", "AzureChinaCloud", "AzureUSGovernment"]
    """The cloud that the workspace is in. Others than `AzureCloud` are not tested."""


class Tracking(Described):
    """Where events are delivered to; `uri` may hold credentials."""

    uri: str | None = Field(repr=False)
    """Where runs go, by the URI's scheme; null: the workspace that `tracking.azure` names, else `mlflow.db` beside the
    home."""
    artifact_root: str | None
    """Where new experiments keep their files: a folder or a URI that every machine reaches. A database server needs
    it; null: `mlartifacts` beside an SQLite file, and what an MLflow server decides."""
    timeout: Annotated[Seconds, Field(gt=0)]
    """How long a server may stay silent in a request: seconds, or a number with s, m, h or d."""
    adopt: Literal["auto", "never"]
    """`auto`: the first run that a process opens takes over the run of its job, or of `MLFLOW_RUN_ID`, if that is
    RUNNING; `never`: every run is a new one."""
    azure: Azure
    """Which Azure ML workspace it is, and how it is reached."""


class Delivery(Described):
    """Who carries events from the journal to the stores, and how long leaving a book waits, in seconds."""

    mode: Literal["sidecar", "inline", "manual"]
    """`sidecar`: a small process beside this one delivers; `inline`: this process does, on `flush`, questions and
    leaving; `manual`: nothing is delivered but by `flush`, questions and `studbook sync`. Memory is `inline`."""
    exit_timeout: Seconds | None
    """How long leaving a book waits for the delivery: seconds, or a number with s, m, h or d. Null: 10 s, and 300 s
    inside a job or container, which takes its processes down with it."""
    batch: int = Field(ge=1)
    """The most events that are written to the target at once; after each batch the relay's place is remembered."""


class Retry(Described):
    """How soon a backend is asked again: each wait is drawn from 0 to the lesser of cap and base, which doubles."""

    base: Seconds
    """The first wait, of the relay and of questions."""
    cap: Seconds
    """The longest wait."""
    retry_after_cap: Seconds
    """The longest that the relay waits because the server asks for it (`Retry-After`)."""
    denied_pause: Seconds
    """How long the relay process rests after refused credentials, and the like; then it reads them again."""
    attempts: int = Field(ge=1)
    """How often a question is asked before it fails. The relay tries for ever."""
    within: Seconds
    """A question is not asked again later than so long after the first time."""
    transfer_base: Seconds
    """The first wait when a file was on its way."""
    transfer_cap: Seconds
    """The longest wait when a file was on its way."""


class Journal(Described):
    """How events are kept on disk."""

    segment_size: int = Field(ge=4096)
    """Bytes after which a new segment file begins."""
    fsync_interval: Seconds
    """What a power cut may take: metrics of so many seconds. Lifecycle events reach the disk at once."""
    strict: bool
    """`true`: an event that cannot be kept raises in the training; `false`: it is logged once and counted."""


class Leases(Described):
    """How others tell that a writer lives."""

    interval: Seconds
    """How often a writer renews its lease."""
    ttl: Seconds
    """A writer on another machine is dead when its lease was not renewed for so long, by the observer's clock."""
    heartbeat: Seconds
    """A run without other events shows so often that it is alive."""


class Sweep(Described):
    """What a sweep does unless its call says otherwise."""

    workers: int = Field(ge=1)
    """Trials that run at the same time, in threads."""
    max_consecutive_failures: int = Field(ge=1)
    """So many FAILED trials in a row end the sweep."""
    duplicates: Literal["reuse", "rerun"]
    """`reuse`: a point that was trained is not trained again; `rerun`: it is."""
    fold_runs: bool
    """Whether each fold has a run of its own; without, folds are recorded on their trial only."""


class Children(Described):
    """How training in a child process is looked after."""

    look: Seconds = Field(ge=0.01)
    """How often the parent looks after a child: reads its reports, and whether its time is over."""
    grace: Seconds
    """How long a child may go on that was told to stop, because its time is over; then it is ended."""


class Distributed(Described):
    """Trainings of several processes, of which only rank 0 records."""

    launcher: Literal["slurm", "mpi"] | None
    """Whose variables say the rank, beside `RANK`: `SLURM_PROCID`, or `OMPI_COMM_WORLD_RANK` and `PMI_RANK`. Null:
    neither, since a launcher may have started independent workers."""


class RunNames(Described):
    """Templates of run names, by stage."""

    hpo_sweep: str
    """A session of a sweep."""
    hpo_trial: str
    """A trial."""
    hpo_fold: str
    """A fold of a trial."""
    hpo_refit: str
    """A refit."""
    benchmark: str
    """A benchmark."""
    selection: str
    """A recorded decision."""
    final_training: str
    """A final training."""
    conversion: str
    """A conversion."""


class Naming(Described):
    """How runs, champion pointers and experiments are named, from `naming.yaml`."""

    hex_length: int
    """Digits of a key in a name, 6 to 16."""
    max_length: int
    """The longest run name, in characters, 16 to 250."""
    experiment: str
    """Template of the experiments' names, when no single one is set."""
    pointer: str
    """Template of the run names of champion pointers."""
    runs: RunNames
    """Templates of run names, by stage."""

    def templates(self) -> NamingTemplates:
        """The checked templates. Raises ConfigError for what a name cannot be made from."""
        return NamingTemplates(
            runs={Stage(stage): template for stage, template in self.runs.model_dump().items()},
            pointer=self.pointer,
            experiment=self.experiment,
            hex_length=self.hex_length,
            max_length=self.max_length,
        )


class CustomTag(Described):
    """A tag of the project's own, and the stages that may carry it."""

    key: str
    """The tag's key."""
    stages: frozenset[Stage]
    """The stages whose runs may carry it."""


class Tags(Described):
    """Where studbook's tags are written, and which tags users may set, from `tags.yaml`."""

    schema_version: Literal[3]
    """Version of the vocabulary."""
    keys: dict[str, str]
    """Another key for a tag of the vocabulary, by its name."""
    aliases: dict[str, tuple[str, ...]]
    """Keys that this project used before, by the tag's name: read, never written."""
    user_tags: Literal["open", "declared"]
    """`open`: users may set any key that is not reserved; `declared`: those under `custom` only."""
    custom: dict[str, CustomTag]
    """The project's own tags, by a name of its choice."""

    def vocabulary(self) -> Vocabulary:
        """The tag vocabulary with this project's keys. Raises ConfigError."""
        return DEFAULT_VOCABULARY.remapped(self.keys, self.aliases)

    def check(self) -> None:
        """Raises ConfigError for keys that cannot be written, or that two names would share."""
        vocabulary, names = self.vocabulary(), dict[str, str]()
        for name, tag in self.custom.items():
            try:
                check_user_tags({tag.key: ""}, vocabulary)
            except TagInvalid as error:
                raise ConfigError(f"tags.yaml, custom.{name}: {error.problem}", cure=error.cure) from error
            if names.setdefault(tag.key, name) != name:
                raise ConfigError(
                    f"tags.yaml gives the key {tag.key!r} to custom.{names[tag.key]} and to custom.{name}",
                    cure="give every name a key of its own",
                    key=tag.key,
                )

    def declared(self) -> dict[str, frozenset[Stage]] | None:
        """The only keys that users may set, with their stages; None when they may set any."""
        return None if self.user_tags == "open" else {tag.key: tag.stages for tag in self.custom.values()}


class Legacy(Described):
    """Runs that an older tool recorded, with `code.*` tags."""

    experiments: tuple[str, ...]
    """Experiments whose legacy runs are read too; those named `<project>-hpo-<family>` need not be listed."""


class ArtifactStorage(Described):
    """What is left out of a stored tree: globs of one path component."""

    exclude: tuple[str, ...]
    """Files and folders of a stored folder that are left out: globs of one path component."""


class Artifacts(Described):
    """How files are stored."""

    store: ArtifactStorage
    """How a folder is stored."""


class Log(Described):
    """The command line's log. A program that uses the library sets up its own."""

    level: Literal["debug", "info", "warning", "error"]
    """The least severe records that the command line writes to stderr."""


class Settings(BaseSettings):
    """All settings, validated. Built by `load_settings`: constructing one reads no environment and no file.

    `selection` is the mapping as it stands; SelectionConfig parses it.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        env_ignore_empty=True,
    )

    project: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    """The project's name: part of run keys and of experiment names."""
    experiment: str | None
    """One experiment for all stages; null: one a group of stages, named by `naming.yaml`."""
    environment: str | None
    """A label on every run; null: as found (azureml, kaggle, colab, slurm or local)."""
    created_by: str
    """Who runs it: a label on every run, left out when empty."""
    home: str | None
    """The folder of journals, models and studies; null: `.studbook` beside `studbook.yaml`, else where you are."""
    tracking: Tracking
    """Where events are delivered to."""
    delivery: Delivery
    """Who delivers, and how long leaving waits."""
    retry: Retry
    """How soon a backend is asked again."""
    journal: Journal
    """How events are kept on disk."""
    leases: Leases
    """How others tell that a writer lives."""
    sweep: Sweep
    """What a sweep does unless its call says otherwise."""
    children: Children
    """How training in a child process is looked after."""
    distributed: Distributed
    """Which process of several records."""
    naming: Naming
    """How runs and experiments are named."""
    tags: Tags
    """Where tags are written, and which ones users may set."""
    legacy: Legacy
    """Runs that an older tool recorded."""
    selection: dict[str, JsonValue]
    """How the best model is chosen."""
    artifacts: Artifacts
    """How files are stored."""
    log: Log
    """The command line's log."""

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
