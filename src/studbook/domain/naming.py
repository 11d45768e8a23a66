"""Names of runs and experiments: for the eye, never blank, never parsed, never unique by contract."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter

from .errors import ConfigError, NameInvalid
from .stage import Stage

_DEFAULTS: dict[Stage, str] = {
    Stage.SWEEP: "{study_name}_{model}_sweep_{study}{version}",
    Stage.TRIAL: "{model}_trial_{study}_t{trial_number}{version}",
    Stage.FOLD: "{model}_fold_{study}_t{trial_number}_f{fold}{version}",
    Stage.REFIT: "{model}_refit_{study}_t{trial_number}_{trial}{version}",
    Stage.BENCHMARK: "{model}_bench_{trial}_{bench}_{device}{version}",
    Stage.SELECTION: "{project}_selection_{selection}{version}",
    Stage.FINAL_TRAINING: "{model}_final_{spec}_{exec}_v{variant}{version}",
    Stage.CONVERSION: "{model}_{format}_{conv}{version}",
}
_POINTER = "{project}_{pointer}_g{generation}"
_EXPERIMENT = "{project}-{group}"

_ANY_STAGE = frozenset({"project", "environment", "model", "stage", "attempt", "version"})
_SEARCH = _ANY_STAGE | {"study_name", "study"}
_TOKENS: dict[Stage, frozenset[str]] = {
    Stage.SWEEP: _SEARCH,
    Stage.TRIAL: _SEARCH | {"trial", "trial_number"},
    Stage.FOLD: _SEARCH | {"trial", "trial_number", "fold"},
    Stage.REFIT: _SEARCH | {"trial", "trial_number"},
    Stage.BENCHMARK: _ANY_STAGE | {"study", "trial", "bench", "device"},
    Stage.SELECTION: _ANY_STAGE | {"selection"},
    Stage.FINAL_TRAINING: _ANY_STAGE | {"study", "trial", "spec", "exec", "variant"},
    Stage.CONVERSION: _ANY_STAGE | {"study", "trial", "conv", "format"},
}
_POINTER_TOKENS = _ANY_STAGE | {"pointer", "generation"}
_EXPERIMENT_TOKENS = frozenset({"project", "group", "model", "environment"})

_KEYS = frozenset({"study", "trial", "bench", "selection", "spec", "exec", "conv"})
_NUMBERS = frozenset({"trial_number", "fold", "attempt", "variant", "generation"})
_SHORTENED = ("study_name", "model", "environment", "pointer", "device", "format", "project", "stage")
_DIGITS = 6  # the width that a template is sized for; larger numbers are rare, and are written out

_RUN_NAME_LIMIT = 250
_MISSING = "na"
_EXPERIMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}")


@dataclass(frozen=True, slots=True)
class NamingTemplates:
    """How runs and experiments are named. `runs` replaces the defaults stage by stage.

    `hex_length` is how many digits of a key are shown, `max_length` the longest run name, in characters.
    Raises ConfigError for a token that the stage cannot have, a character that a name cannot have, or a
    template that does not fit.
    """

    runs: Mapping[Stage, str] = field(default_factory=dict, hash=False)
    pointer: str = _POINTER
    experiment: str = _EXPERIMENT
    hex_length: int = 8
    max_length: int = 200

    def __post_init__(self) -> None:
        for name, number, low, high in (
            ("hex_length", self.hex_length, 6, 16),
            ("max_length", self.max_length, 16, _RUN_NAME_LIMIT),
        ):
            if not low <= number <= high:
                raise ConfigError(f"{name} is {number}", cure=f"choose {low} to {high}", setting=name)
        object.__setattr__(self, "runs", {**_DEFAULTS, **self.runs})
        for stage, template in self.runs.items():
            self._check(template, _TOKENS[stage], str(stage))
        self._check(self.pointer, _POINTER_TOKENS, "pointer")
        check_experiment_template(self.experiment)

    def run_name(self, stage: Stage, tokens: Mapping[str, object]) -> str:
        """The name of a run; with a token `pointer`, of a champion pointer.

        Key tokens are given as key texts or bare hex, numbers as int; what is missing or None becomes `na`.
        """
        parts = _parse(self.pointer if "pointer" in tokens else self.runs[stage])
        values = {token: self._value(token, tokens, stage) for _, token in parts if token is not None}
        excess = len(_fill(parts, values)) - self.max_length
        for token in _SHORTENED:
            if excess > 0 and token in values:
                times = sum(1 for _, used in parts if used == token)
                kept = max(1, len(values[token]) - -(-excess // times))
                values[token] = values[token][:kept].rstrip("_.-") or _MISSING[:kept]
                excess = len(_fill(parts, values)) - self.max_length
        return _fill(parts, values)[: self.max_length]

    def _value(self, name: str, tokens: Mapping[str, object], stage: Stage) -> str:
        if name == "version":
            attempt = tokens.get("attempt")
            return f"_{attempt}" if isinstance(attempt, int) and attempt > 1 else ""
        value = stage if name == "stage" else tokens.get(name)
        if value is None:
            return _MISSING
        if name == "trial_number" and isinstance(value, int):
            return f"{value:04d}"
        text = str(value)
        return _sanitised(text.rpartition(":")[2][: self.hex_length] if name in _KEYS else text)

    def _check(self, template: str, allowed: frozenset[str], what: str) -> None:
        parts = _checked_parts(template, allowed, what, r"[A-Za-z0-9._-]*")
        if not any((literal or name) and name != "version" for literal, name in parts):
            raise ConfigError(f"the name template of {what} can be blank", cure="add a token", stage=what)
        shortest = sum(len(literal) + self._width(name) for literal, name in parts)
        if shortest > self.max_length:
            raise ConfigError(
                f"the name template of {what} needs {shortest} characters, max_length is {self.max_length}",
                cure="raise max_length, or shorten the template",
                stage=what,
            )

    def _width(self, name: str | None) -> int:
        if name is None:
            return 0
        if name == "version":
            return 1 + _DIGITS
        return self.hex_length if name in _KEYS else _DIGITS if name in _NUMBERS else 1


def check_run_name(text: str) -> str:
    """A name given by the caller, stripped. Raises NameInvalid when it is blank or longer than 250."""
    name = text.strip()
    if not name or len(name) > _RUN_NAME_LIMIT or not name.isprintable():
        raise NameInvalid(
            f"{name!r:.80} is no run name",
            cure=f"use 1 to {_RUN_NAME_LIMIT} printable characters",
            name=name,
        )
    return name


def check_experiment_name(name: str) -> str:
    """The name, as it is. Raises NameInvalid with a valid proposal when not every backend would find it."""
    if not _EXPERIMENT_NAME.fullmatch(name):
        raise NameInvalid(
            f"{name!r:.80} is no experiment name that every backend finds",
            cure=f"use letters, digits, `_` and `-`, for example {_cut(_experiment_token(name))}",
            name=name,
        )
    return name


def check_experiment_template(template: str) -> None:
    """Raises ConfigError for an unknown token, or a character that an experiment name cannot have."""
    parts = _checked_parts(template, _EXPERIMENT_TOKENS, "experiments", r"[A-Za-z0-9_-]*")
    if not parts or (parts[0][0] and not parts[0][0][0].isalnum()):
        raise ConfigError(
            f"the experiment template {template!r} does not begin with a letter or digit",
            cure=f"begin it with a token, as in {_EXPERIMENT}",
        )


def experiment_name(
    template: str,
    project: str,
    group: str,
    model: str | None = None,
    environment: str | None = None,
) -> str:
    """The experiment's name. Two token values never give the same text: a changed one carries its digest.

    Raises ConfigError for an unknown token.
    """
    check_experiment_template(template)
    given = {"project": project, "group": str(group), "model": model, "environment": environment}
    values = {
        token: _MISSING if value is None else _experiment_token(value) for token, value in given.items()
    }
    return _cut(_fill(_parse(template), values))


def _experiment_token(value: str) -> str:
    text = re.sub(r"[^A-Za-z0-9_-]", "-", value).lstrip("_-") or _MISSING
    return text if text == value else f"{text}-{_digest(value, 6)}"


def _cut(name: str) -> str:
    return name if len(name) <= 255 else f"{name[:240]}-{_digest(name, 8)}"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def _sanitised(value: str) -> str:
    letters = (c for c in unicodedata.normalize("NFKD", value) if not unicodedata.combining(c))
    return re.sub(r"[^A-Za-z0-9._-]+", "_", "".join(letters)).strip("_.-") or _MISSING


def _parse(template: str) -> tuple[tuple[str, str | None], ...]:
    """Literals, each with the token that follows it."""
    return tuple((literal, token) for literal, token, _, _ in Formatter().parse(template))


def _checked_parts(
    template: str, allowed: frozenset[str], what: str, charset: str
) -> tuple[tuple[str, str | None], ...]:
    try:
        parsed = tuple(Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(
            f"the name template of {what}, {template!r}, does not parse: {error}", cure="close every brace"
        ) from error
    for literal, token, form, conversion in parsed:
        if token is not None and (token not in allowed or form or conversion):
            raise ConfigError(
                f"the name template of {what} holds {{{token}}}",
                cure="its tokens are " + " ".join(f"{{{name}}}" for name in sorted(allowed)),
                token=token,
            )
        if not re.fullmatch(charset, literal):
            raise ConfigError(
                f"the name template of {what} holds {literal!r}",
                cure="between tokens use letters, digits, `_` and `-`",
                literal=literal,
            )
    return tuple((literal, token) for literal, token, _, _ in parsed)


def _fill(parts: tuple[tuple[str, str | None], ...], values: Mapping[str, str]) -> str:
    return "".join(literal + (values[token] if token is not None else "") for literal, token in parts)
