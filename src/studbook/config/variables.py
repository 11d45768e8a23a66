"""Settings from variables: the environment's and those of a `.env` file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from ..domain.errors import ConfigError
from ..domain.run_context import RUN_CONTEXT_VARIABLE
from .origin import Origin, Source
from .statement import DELIMITER, PREFIX, Statement, statements

MLFLOW_VARIABLES = {"MLFLOW_TRACKING_URI": ("tracking", "uri"), "MLFLOW_EXPERIMENT_NAME": ("experiment",)}
"""MLflow's own variables that are honoured, and the settings that they stand for."""

_NO_SETTINGS = (RUN_CONTEXT_VARIABLE, "STUDBOOK_TEST_")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and where it is set."""

    name: str
    value: str = field(repr=False)
    origin: Origin


def environment_variables(environ: Mapping[str, str], folder: Path) -> Iterator[Variable]:
    """The variables of a process; relative paths in them start from its working directory."""
    for name, value in environ.items():
        source = Source.MLFLOW_ENVIRONMENT if name in MLFLOW_VARIABLES else Source.ENVIRONMENT
        yield Variable(name, value, Origin(source, name, folder))


def dotenv_variables(path: Path) -> Iterator[Variable]:
    """The variables of a `.env` file, without interpolation. Raises ConfigError for a line that is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", cure="mend or remove the file") from error
    for binding in parse_stream(StringIO(text)):
        line = binding.original.line + _blank_lines_before(binding.original.string)
        if binding.error:
            raise ConfigError(
                f"{path}:{line} is no assignment", cure="write NAME=value, or # before a comment"
            )
        if binding.key is not None and binding.value is not None:
            yield Variable(binding.key, binding.value, Origin(Source.DOTENV, f"{path}:{line}", path.parent))


def variable_statements(model: type[BaseSettings], variables: Iterable[Variable]) -> Iterator[Statement]:
    """What the variables say, MLflow's first, so that ours win over theirs within one source.

    An empty variable says nothing. An unknown STUDBOOK_ variable becomes the statement of an unknown key.
    """
    given = list(variables)
    for variable in given:
        if variable.name in MLFLOW_VARIABLES and variable.value:
            yield Statement(MLFLOW_VARIABLES[variable.name], variable.value, variable.origin)
    ours = [v for v in given if v.name.startswith(PREFIX) and not v.name.startswith(_NO_SETTINGS)]
    for variable in sorted(ours, key=lambda v: v.name.count(DELIMITER)):
        yield from _decoded(model, variable)


def _decoded(model: type[BaseSettings], variable: Variable) -> Iterator[Statement]:
    key = tuple(variable.name[len(PREFIX) :].lower().split(DELIMITER))
    try:
        tree = _OneVariable(model, variable)()
    except SettingsError as error:
        raise ConfigError(
            f"the value of {variable.name} ({variable.origin}) is no JSON",
            cure='write a list as ["a", "b"] and a mapping as {"a": 1}',
        ) from error
    if tree:
        yield from statements(tree, variable.origin)
    elif variable.value or key[0] not in model.model_fields:
        yield Statement(key, variable.value, variable.origin)


class _OneVariable(EnvSettingsSource):
    """Reads the nested names and JSON values of one variable that it is given, and no environment."""

    def __init__(self, model: type[BaseSettings], variable: Variable) -> None:
        self._variable = variable
        super().__init__(model)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {self._variable.name.lower(): self._variable.value} if self._variable.value else {}


def _blank_lines_before(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")
