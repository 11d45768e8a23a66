"""The settings in force: what all sources say, merged, each value with who decided it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..adapters.azureml.job import JobAccess
from ..domain.errors import ConfigError, PolicyInvalid
from ..domain.naming import check_experiment_name
from ..domain.run_events import Adoption
from ..domain.selection.config import SelectionConfig
from .adoption import adoption, in_its_job, job_access
from .known_keys import refuse_unusable
from .named_workspace import said_uri
from .origin import Origin, Source
from .schema import Settings
from .statement import KeyPath, Statement
from .tracking_target import SaidUri, TrackingTarget, resolve_target
from .variables import dotenv_variables, environment_variables, variable_statements
from .yaml_file import yaml_statements

SETTINGS_FILE = "studbook.yaml"
SECTION_FILES = {"naming": "naming.yaml", "tags": "tags.yaml"}
"""Sections that have a file of their own, beside `studbook.yaml`."""

_DEFAULTS = Path(__file__).parent / "defaults"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings of one book. `origins` has, for each dotted key, who decided; `overruled` who spoke too,
    the strongest first. `home` and `project_folder` are absolute; neither needs to exist. `adopt` is the run that the
    first one of this process is to take over, and `job` what the job that this process is in may use, if it is one of
    the target.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    overruled: Mapping[str, tuple[Origin, ...]]
    selection: SelectionConfig
    home: Path
    project_folder: Path
    target: TrackingTarget
    adopt: Adoption | None = None
    job: JobAccess | None = None


def load_settings(
    cwd: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    config: Path | None = None,
    caller: str = "Studbook.open",
) -> LoadedSettings:
    """Merge what all sources say: `overrides` (dotted keys; None says nothing) > environment > `.env` >
    `studbook.yaml` (`config`, else the nearest upwards from `cwd`) and the files
    beside it > defaults.

    Reads files and the environment, writes neither. Raises ConfigError and its children, NameInvalid.
    """
    folder = _absolute(Path.cwd(), cwd or Path())
    file = _settings_file(folder, config)
    project_folder = file.parent if file else folder
    environ = os.environ if environ is None else environ
    said = [
        *_shipped(),
        *_project_files(file, project_folder),
        *_variables(environ, folder, project_folder),
        *_overrides(overrides or {}, caller, folder),
    ]
    for statement in said:
        refuse_unusable(Settings, statement)
    decided, overruled = _merge(said)
    origins = {".".join(key): statement.origin for key, statement in decided.items()}
    settings = _validated(decided)
    if settings.experiment is not None:
        check_experiment_name(settings.experiment)
    settings.naming.templates()
    settings.tags.check()
    home = _home(settings, origins["home"], project_folder)
    artifact_root = settings.tracking.artifact_root
    target = resolve_target(
        said_uri(settings.tracking, origins),
        home=home,
        experiment=settings.experiment,
        artifact_root=None
        if artifact_root is None
        else SaidUri(artifact_root, origins["tracking.artifact_root"]),
    )
    target = in_its_job(target, environ)
    return LoadedSettings(
        settings=settings,
        origins=origins,
        overruled={".".join(key): tuple(found) for key, found in overruled.items()},
        selection=_selection(settings, origins),
        home=home,
        project_folder=project_folder,
        target=target,
        adopt=adoption(settings.tracking.adopt, target, environ),
        job=job_access(target, environ),
    )


def shipped_defaults() -> dict[str, Any]:
    """The defaults as their files say them: nested, by key."""
    return _nested({statement.key: statement for statement in _shipped()})


def _settings_file(folder: Path, config: Path | None) -> Path | None:
    if config is not None:
        path = _absolute(folder, config)
        if not path.is_file():
            raise ConfigError(f"there is no settings file {path}", cure=f"name a {SETTINGS_FILE}, or none")
        return path
    return next((f / SETTINGS_FILE for f in (folder, *folder.parents) if (f / SETTINGS_FILE).is_file()), None)


def _shipped() -> Iterator[Statement]:
    yield from yaml_statements(_DEFAULTS / SETTINGS_FILE, Source.DEFAULT, name=f"defaults/{SETTINGS_FILE}")
    for section, file in SECTION_FILES.items():
        yield from yaml_statements(_DEFAULTS / file, Source.DEFAULT, (section,), name=f"defaults/{file}")


def _project_files(file: Path | None, project_folder: Path) -> Iterator[Statement]:
    if file is not None:
        for statement in yaml_statements(file):
            section = statement.key[0]
            if section in SECTION_FILES:
                raise ConfigError(
                    f"{section} is not set here ({statement.origin})",
                    cure=f"write its keys into {SECTION_FILES[section]} beside this file",
                )
            yield statement
    for section, name in SECTION_FILES.items():
        if (project_folder / name).is_file():
            yield from yaml_statements(project_folder / name, below=(section,))


def _variables(environ: Mapping[str, str], folder: Path, project_folder: Path) -> Iterator[Statement]:
    dotenv = _dotenv_file(folder, project_folder)
    if dotenv is not None:
        yield from variable_statements(Settings, dotenv_variables(dotenv))
    yield from variable_statements(Settings, environment_variables(environ, folder))


def _dotenv_file(folder: Path, project_folder: Path) -> Path | None:
    """The nearest `.env` from the working directory upwards, not above the project's folder."""
    between = [f for f in (folder, *folder.parents) if f.is_relative_to(project_folder)]
    return next((f / ".env" for f in (*between, project_folder) if (f / ".env").is_file()), None)


def _overrides(overrides: Mapping[str, object], caller: str, folder: Path) -> Iterator[Statement]:
    origin = Origin(Source.CALLER, caller, folder)
    for key, value in overrides.items():
        if value is not None:
            yield Statement(tuple(key.split(".")), value, origin)


def _merge(said: Iterable[Statement]) -> tuple[dict[KeyPath, Statement], dict[KeyPath, list[Origin]]]:
    """For each key the last statement, and the origins of those before it, the latest first.

    An empty section says nothing. Inside a free mapping, a value replaces the section of that name, and the
    other way round.
    """
    decided: dict[KeyPath, Statement] = {}
    overruled: dict[KeyPath, list[Origin]] = {}
    for statement in said:
        key = statement.key
        if statement.value == {}:
            continue
        for other in [k for k in decided if k[: len(key)] == key or key[: len(k)] == k]:
            overruled.setdefault(key, []).insert(0, decided.pop(other).origin)
        decided[key] = statement
    return decided, overruled


def _validated(decided: Mapping[KeyPath, Statement]) -> Settings:
    try:
        return Settings(**_nested(decided))
    except ValidationError as error:
        raise _invalid(error, decided) from None


def _nested(decided: Mapping[KeyPath, Statement]) -> dict[str, Any]:
    tree: dict[str, Any] = {"selection": {}, "tags": {"keys": {}, "aliases": {}, "custom": {}}}
    for key, statement in decided.items():
        here = tree
        for name in key[:-1]:
            here = here.setdefault(name, {})
        here[key[-1]] = statement.value
    return tree


def _invalid(error: ValidationError, decided: Mapping[KeyPath, Statement]) -> ConfigError:
    problems = []
    for found in error.errors(include_input=False, include_url=False, include_context=False):
        where = tuple(str(part) for part in found["loc"])
        said = next((decided[where[:n]] for n in range(len(where), 0, -1) if where[:n] in decided), None)
        place = f" ({said.origin})" if said else ""
        problems.append(f"{'.'.join(where)}: {found['msg']}{place}")
    return ConfigError(
        "a setting has a value that it cannot have: " + "; ".join(problems),
        cure="mend it where it is said; `studbook config show --origin` lists who said what",
    )


def _selection(settings: Settings, origins: Mapping[str, Origin]) -> SelectionConfig:
    try:
        return SelectionConfig.parse(settings.selection)
    except PolicyInvalid as error:
        key = str(error.details.get("key", ""))
        said = next((origin for name, origin in origins.items() if f"{name}.".startswith(f"{key}.")), None)
        place = f" ({said})" if said else ""
        raise PolicyInvalid(error.problem + place, cure=error.cure, **error.details) from None


def _home(settings: Settings, origin: Origin, project_folder: Path) -> Path:
    if settings.home is None:
        return project_folder / ".studbook"
    return _absolute(origin.folder, Path(settings.home))


def _absolute(folder: Path, path: Path) -> Path:
    return Path(os.path.normpath(folder / path.expanduser()))
