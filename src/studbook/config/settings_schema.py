"""The JSON Schema of the settings files: for editors, and for the tables of the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

from ..domain.errors import ConfigError
from ..domain.selection.config import SelectionConfig
from ..domain.selection.policy import STEPS
from .schema import Settings
from .settings import SECTION_FILES, SETTINGS_FILE, shipped_defaults

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILES = (SETTINGS_FILE, *SECTION_FILES.values())

_FOR_OTHERS = frozenset({"title", "discriminator"})
"""Keywords that no editor needs: names made of field names, and OpenAPI's own."""


def settings_schema(file: str = SETTINGS_FILE) -> Schema:
    """The schema of `studbook.yaml`, `naming.yaml` or `tags.yaml`: every key, with meaning, type and default.

    No key is required: a file names only what differs. Raises ConfigError for another file.
    """
    section = next((name for name, own in SECTION_FILES.items() if own == file), None)
    if section is None and file != SETTINGS_FILE:
        raise ConfigError(f"{file} is no settings file", cure=f"name one of {', '.join(FILES)}", file=file)
    defaults = shipped_defaults()
    if section is None:
        schema: Schema = _for_editors(_main_file())
        defaults["selection"] = SelectionConfig().model_dump(mode="json", by_alias=True)
        for step in STEPS.values():
            _demand_name(schema["$defs"][step.__name__])
    else:
        model: Any = Settings.model_fields[section].annotation
        schema = _for_editors(TypeAdapter(model).json_schema())
        defaults = defaults[section]
    _state_defaults(schema, defaults, schema.get("$defs", {}))
    schema["description"] = f"{file} of studbook. Name only what differs from the defaults."
    return {"$schema": DIALECT, "title": file, **schema}


def _main_file() -> Schema:
    """The schema of the settings without the sections that have a file of their own."""
    held = {name: field for name, field in Settings.model_fields.items() if name not in SECTION_FILES}
    types: dict[str, Any] = {name: field.annotation for name, field in held.items()}
    types["selection"] = SelectionConfig
    definitions: dict[str, Any] = {name: (types[name], field) for name, field in held.items()}
    model: type[BaseModel] = create_model("Settings", __config__=ConfigDict(extra="forbid"), **definitions)
    return model.model_json_schema()


def resolved(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """The node, with what it refers to; its own words come first."""
    if "$ref" not in node:
        return node
    return {**definitions[node["$ref"].rpartition("/")[2]], **node}


def _for_editors(node: Any, *, names: bool = False) -> Any:
    """The schema without keywords for others; `names`: the keys of this mapping are the user's, not keywords."""
    if isinstance(node, list):
        return [_for_editors(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _for_editors(inner, names=key in ("properties", "$defs") and not names)
        for key, inner in node.items()
        if names or key not in _FOR_OTHERS
    }


def _demand_name(step: Schema) -> None:
    """A policy's step must say which one it is."""
    step["required"] = ["step", *step.get("required", [])]
    del step["properties"]["step"]["default"]


def _state_defaults(section: Schema, defaults: Mapping[str, Any], definitions: Mapping[str, Schema]) -> None:
    """Write the shipped values into the section and those below it, in place."""
    section.pop("required", None)
    for name, field in section["properties"].items():
        value = defaults[name]
        below = definitions[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
        if isinstance(value, Mapping) and "properties" in below:
            field.pop("default", None)
            _state_defaults(below, value, definitions)
        else:
            field["default"] = value
