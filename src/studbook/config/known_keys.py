"""Which keys there are, and the nearest one to a key that is none."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import get_origin

from pydantic import BaseModel

from ..domain.errors import ConfigError
from .origin import Source
from .statement import KeyPath, Statement, variable_name

_LIKE = 0.6


def refuse_unusable(model: type[BaseModel], said: Statement) -> None:
    """Raise ConfigError for an unknown key, a section without keys, and keys below a single value."""
    here: type[BaseModel] = model
    for depth, name in enumerate(said.key):
        field = here.model_fields.get(name)
        if field is None:
            raise _unknown(model, said)
        rest = said.key[depth + 1 :]
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            here = annotation
            continue
        if get_origin(annotation) is dict:
            if not rest and not isinstance(said.value, dict):
                raise _no_section(said)
        elif rest or isinstance(said.value, dict):
            raise ConfigError(
                f"{'.'.join(said.key[: depth + 1])} takes one value, not a section ({said.origin})",
                cure="write the value behind the key",
            )
        return
    if not isinstance(said.value, dict):
        raise _no_section(said)


def known_keys(model: type[BaseModel], below: KeyPath = ()) -> Iterator[KeyPath]:
    """All keys that hold a value."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from known_keys(annotation, (*below, name))
        else:
            yield (*below, name)


def _unknown(model: type[BaseModel], said: Statement) -> ConfigError:
    dotted = ".".join(said.key)
    likeness, nearest = max((_likeness(said.key, key), key) for key in known_keys(model))
    as_variable = said.origin.source in {Source.ENVIRONMENT, Source.DOTENV}
    name = variable_name(said.key) if as_variable else dotted
    meant = variable_name(nearest) if as_variable else ".".join(nearest)
    hint = f"the nearest is {meant}; " if likeness >= _LIKE else ""
    return ConfigError(
        f"there is no setting {name}" + (f" ({said.origin})" if said.origin.place != name else ""),
        cure=f"{hint}`studbook config show` lists all",
        key=dotted,
        nearest=".".join(nearest),
        place=said.origin.place,
    )


def _likeness(said: KeyPath, known: KeyPath) -> float:
    """From 0 to 1; 1 for a key that stands in the wrong section."""
    if said[-1] == known[-1]:
        return 1.0
    return SequenceMatcher(None, ".".join(said), ".".join(known)).ratio()


def _no_section(said: Statement) -> ConfigError:
    what = "empty" if said.value is None else "a single value"
    return ConfigError(
        f"{'.'.join(said.key)} is a section, and here it is {what} ({said.origin})",
        cure="write keys below it, or leave it out",
    )
