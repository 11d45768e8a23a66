"""The reference tables of the documentation, in Markdown, made of the declarations; all pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..domain.errors import ConfigError
from ..domain.selection.policy import STEPS
from ..domain.stage import Stage
from ..domain.tag_table import TAGS
from ..domain.tag_types import TagType
from .settings import SECTION_FILES, SETTINGS_FILE
from .settings_schema import Schema, resolved, settings_schema

_COLUMNS = ("key", "type", "default", "meaning")
_TYPES = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}
_BEGIN = "<!-- generated: {name} -->"
_END = "<!-- end -->"
_GENERATED = re.compile(r"<!-- generated: (?P<name>[\w-]+) -->\n.*?<!-- end -->", re.DOTALL)


def settings_table(file: str = SETTINGS_FILE, section: str | None = None) -> str:
    """The keys of a settings file, or of one section of it; without a section, `selection` is left out."""
    schema = settings_schema(file)
    definitions = schema.get("$defs", {})
    rows = list(_rows(schema, definitions))
    chosen = [row for row in rows if (row[0].partition(".")[0] == "selection") is (section == "selection")]
    return _table(_COLUMNS, ((_code(key), *rest) for key, *rest in chosen))


def metric_table() -> str:
    """The keys of one metric of `selection.metrics`."""
    definitions = settings_schema()["$defs"]
    rows = _rows(definitions["MetricSpec"], definitions)
    return _table(_COLUMNS, ((_code(key), *rest) for key, *rest in rows))


def steps_table() -> str:
    """The steps of a policy, each with its keys."""
    definitions = settings_schema()["$defs"]
    rows: list[tuple[str, ...]] = []
    for name, step in STEPS.items():
        schema = definitions[step.__name__]
        rows.append((f"**{_code(name)}**", "", "", _first_line(schema["description"])))
        rows += [(_code(key), *rest) for key, *rest in _rows(schema, definitions) if key != "step"]
    return _table(_COLUMNS, rows)


def tags_table() -> str:
    """The tag vocabulary."""
    columns = ("name", "key", "type", "meaning", "always on", "may be on", "legacy keys")
    return _table(
        columns,
        (
            (
                _code(tag.name),
                _code(tag.key),
                _tag_type(tag.type),
                tag.meaning,
                _stages(tag.required),
                _stages(tag.stages - tag.required),
                ", ".join(_code(alias) for alias in tag.aliases),
            )
            for tag in TAGS
        ),
    )


def tables() -> dict[str, str]:
    """All tables, by the name that their place in a page has."""
    return {
        "settings": settings_table(),
        "settings-selection": settings_table(section="selection"),
        "settings-metric": metric_table(),
        "settings-steps": steps_table(),
        **{f"settings-{section}": settings_table(file) for section, file in SECTION_FILES.items()},
        "tags": tags_table(),
    }


def filled(page: str, generated: Mapping[str, str]) -> str:
    """The page with each generated place holding its table. Raises ConfigError for a place without one."""

    def place(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in generated:
            raise ConfigError(
                f"no table is called {name!r}", cure=f"name one of {', '.join(generated)}", name=name
            )
        return f"{_BEGIN.format(name=name)}\n\n{generated[name]}\n\n{_END}"

    return _GENERATED.sub(place, page)


def _rows(
    section: Schema, definitions: Mapping[str, Schema], below: str = ""
) -> Iterator[tuple[str, str, str, str]]:
    """Key, type, default and meaning of each key that holds a value."""
    for name, field in section["properties"].items():
        node = resolved(field, definitions)
        if "properties" in node and "default" not in field:
            yield from _rows(node, definitions, f"{below}{name}.")
            continue
        required = name in section.get("required", ())
        default = "" if required or "default" not in field else _code(json.dumps(field["default"]))
        meaning = _first_line(node.get("description", ""))
        yield f"{below}{name}", _type(node, definitions), default, meaning


def _type(node: Schema, definitions: Mapping[str, Schema]) -> str:
    node = resolved(node, definitions)
    if "enum" in node or "const" in node:
        words = node.get("enum", [node.get("const")])
        return " or ".join(_code(json.dumps(word).strip('"')) for word in words)
    if "oneOf" in node:
        return "policy step"
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_type(each, definitions) for each in node["anyOf"]))
    if "prefixItems" in node:
        return f"[{', '.join(_type(each, definitions) for each in node['prefixItems'])}]"
    kind: str = node["type"]
    if kind == "array":
        return f"list of {_type(node['items'], definitions)}"
    if kind == "object":
        return _mapping_type(node, definitions)
    return _with_bounds(node, _TYPES.get(kind, kind))


def _mapping_type(node: Schema, definitions: Mapping[str, Schema]) -> str:
    if "properties" in node:
        return _code("{" + ", ".join(node["properties"]) + "}")
    return f"mapping to {_type(node['additionalProperties'], definitions)}"


def _with_bounds(node: Schema, word: str) -> str:
    if "format" in node:
        return "time" if node["format"] == "date-time" else str(node["format"])
    return f"{word} ≥ {node['minimum']}" if "minimum" in node else word


def _tag_type(type_: TagType) -> str:
    if type_.name.startswith("key("):
        return f"key `{type_.name[4:-1]}:…`"
    return " or ".join(_code(word) for word in type_.words) or type_.name


def _stages(stages: frozenset[Stage]) -> str:
    if stages == frozenset(Stage):
        return "every stage"
    return ", ".join(stage for stage in Stage if stage in stages)


def _first_line(text: str) -> str:
    return text.partition("\n\n")[0].replace("\n", " ").replace(" None ", " null ")


def _code(text: str) -> str:
    return f"`{text}`"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
