"""A study described by a file: what `studbook sweep` runs."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..application.ending import error_text
from ..domain.checked import Checked
from ..domain.data import DataSpec
from ..domain.errors import ConfigError, StudbookError, StudyInvalid


class ObjectiveEntry(Checked):
    """One objective."""

    ERROR: ClassVar[type[StudbookError]] = StudyInvalid

    metric: str
    direction: Literal["maximize", "minimize"]


class AlgorithmEntry(Checked):
    """A sampler or a pruner, with its options."""

    ERROR: ClassVar[type[StudbookError]] = StudyInvalid

    algorithm: str
    options: dict[str, Any] = Field(default_factory=dict)


class StudyFile(Checked):
    """The keys of a study file. `train` is `module:function`, found beside the file or on the Python path."""

    ERROR: ClassVar[type[StudbookError]] = StudyInvalid

    name: str
    train: str
    space: dict[str, Any]
    objective: ObjectiveEntry | tuple[ObjectiveEntry, ...]
    trials: int
    folds: int | None = None
    n_samples: int | None = None
    data: DataSpec | None = None
    family: str | None = None
    sampler: AlgorithmEntry = AlgorithmEntry(algorithm="tpe")
    pruner: AlgorithmEntry | None = None
    seed: int = 0
    workers: int | None = None
    timeout_s: float | None = None
    revision: str | None = None
    refit: bool = False


def load_study_file(path: Path) -> StudyFile:
    """Read and check a study file. Raises ConfigError, StudyInvalid naming the nearest valid key."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{path} cannot be read: {why}", cure="name a study file that is there") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path} is no YAML{place}", cure="mend it there") from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path} holds no mapping", cure="write keys: name, train, space, objective, trials"
        )
    return StudyFile.parse(content, at=path.name)


def training_function(study: StudyFile, folder: Path) -> Callable[..., Any]:
    """The function that `train` names. Raises StudyInvalid when there is none."""
    module_name, _, function_name = study.train.partition(":")
    if not function_name:
        raise StudyInvalid(f"train is {study.train!r}", cure="write module:function, such as training:train")
    try:
        module = _beside(folder, module_name) or importlib.import_module(module_name)
    except ImportError as error:
        raise StudyInvalid(
            f"the module {module_name!r} cannot be imported: {error}",
            cure=f"put {module_name}.py beside the study file, or install it",
        ) from error
    except Exception as error:
        raise StudyInvalid(
            f"the module {module_name!r} cannot be imported: it raised {error_text(error)}",
            cure=f"mend it: `python -c 'import {module_name}'` shows where",
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise StudyInvalid(
            f"module {module_name!r} has no function {function_name!r}",
            cure="name a function that takes the context and returns the metrics",
        )
    found: Callable[..., Any] = function
    return found


def _beside(folder: Path, module_name: str) -> Any:
    path = folder / f"{module_name.replace('.', '/')}.py"
    if not path.is_file():
        return None
    if str(folder) not in sys.path:  # for the modules that this one imports
        sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module
