"""The reference tables and the JSON Schema say what the declarations say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from studbook.config.known_keys import known_keys
from studbook.config.reference import filled, tables, tags_table
from studbook.config.schema import Settings
from studbook.config.settings import shipped_defaults
from studbook.config.settings_schema import FILES, settings_schema
from studbook.domain.errors import ConfigError
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.tag_table import TAGS

DOCS = Path(__file__).parents[2] / "docs"
DEFAULTS = Path(__file__).parents[2] / "src" / "studbook" / "config" / "defaults"

_KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}


def faults(value: Any, node: Mapping[str, Any], root: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """Where a value breaks a schema: the keywords that ours use."""
    if "$ref" in node:
        yield from faults(value, root["$defs"][node["$ref"].rpartition("/")[2]], root, at)
    if "type" in node and not _is(value, node["type"]):
        yield f"{at}: no {node['type']}"
        return
    for word in ("anyOf", "oneOf"):
        if word in node and all(any(True for _ in faults(value, each, root, at)) for each in node[word]):
            yield f"{at}: {word}"
    yield from _scalar_faults(value, node, at)
    if isinstance(value, list) and "items" in node:
        for index, each in enumerate(value):
            yield from faults(each, node["items"], root, f"{at}[{index}]")
    if isinstance(value, dict):
        yield from _mapping_faults(value, node, root, at)


def _scalar_faults(value: Any, node: Mapping[str, Any], at: str) -> Iterator[str]:
    held = {
        "const": value == node.get("const"),
        "enum": value in node.get("enum", ()),
        "pattern": not isinstance(value, str) or re.search(node.get("pattern", ""), value),
        "minimum": not isinstance(value, int | float) or value >= node.get("minimum", value),
        "minItems": not isinstance(value, list) or len(value) >= node.get("minItems", 0),
    }
    yield from (f"{at}: {word} {node[word]}" for word, holds in held.items() if word in node and not holds)


def _mapping_faults(
    value: Mapping[str, Any], node: Mapping[str, Any], root: Mapping[str, Any], at: str
) -> Iterator[str]:
    yield from (f"{at}: {name} is missing" for name in node.get("required", ()) if name not in value)
    others = node.get("additionalProperties", True)
    for name, each in value.items():
        known = node.get("properties", {}).get(name)
        if known is None and others is False:
            yield f"{at}: {name} is unknown"
        elif known is not None or isinstance(others, dict):
            yield from faults(each, known or others, root, f"{at}.{name}")


def _is(value: object, kind: str) -> bool:
    return isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def broken(document: object, file: str = "studbook.yaml") -> list[str]:
    schema = settings_schema(file)
    return list(faults(document, schema, schema))


@pytest.mark.parametrize("page", ["settings.md", "tags.md"])
def test_the_tables_of_a_page_are_those_of_the_declaration(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert "<!-- generated: " in text
    assert filled(text, tables()) == text, "stale: run `make docs`"


def test_every_table_has_a_place() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.md"))
    assert [name for name in tables() if f"<!-- generated: {name} -->" not in pages] == []


def test_a_stale_table_is_replaced_and_the_rest_stays() -> None:
    page = "before\n<!-- generated: a -->\nold\n<!-- end -->\nafter\n"
    fresh = filled(page, {"a": "| new |"})
    assert fresh == "before\n<!-- generated: a -->\n\n| new |\n\n<!-- end -->\nafter\n"
    assert filled(fresh, {"a": "| new |"}) == fresh


def test_a_place_without_a_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="'b'"):
        filled("<!-- generated: b -->\n<!-- end -->", {"a": ""})


def test_every_setting_has_a_row_with_a_meaning() -> None:
    generated = tables()
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for name, table in generated.items()
        if name.startswith("settings")
        for line in table.splitlines()[2:]
    ]
    assert [row for row in rows if not row[-1]] == []
    shown = {row[0].strip("`*") for row in rows}
    keys = {".".join(key) for key in known_keys(Settings)} - {"selection"}
    keys = {re.sub(r"^(naming|tags)\.", "", key) for key in keys}
    assert keys <= shown
    assert {f"selection.{key}" for key in _selection_keys()} <= shown


def _selection_keys() -> Iterator[str]:
    for section, values in SelectionConfig().model_dump(mode="json", by_alias=True).items():
        if isinstance(values, dict) and section not in ("metrics", "policies"):
            yield from (f"{section}.{key}" for key in values)
        else:
            yield section


def test_every_tag_has_a_row() -> None:
    lines = tags_table().splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == [f"| `{tag.name}`" for tag in TAGS]
    for tag, line in zip(TAGS, lines, strict=True):
        assert f"`{tag.key}`" in line
        assert tag.meaning in line
        assert all(f"`{alias}`" in line for alias in tag.aliases)


@pytest.mark.parametrize("file", FILES)
def test_the_schema_accepts_the_shipped_defaults(file: str) -> None:
    shipped = yaml.safe_load((DEFAULTS / file).read_text(encoding="utf-8"))
    assert shipped
    assert broken(shipped, file) == []


def test_the_schema_states_the_defaults_that_are_in_force() -> None:
    schema = settings_schema()
    shipped = shipped_defaults()
    assert schema["properties"]["project"]["default"] == shipped["project"]
    assert schema["$defs"]["Sweep"]["properties"]["workers"]["default"] == shipped["sweep"]["workers"]
    assert json.loads(json.dumps(schema)) == schema


GOOD: list[dict[str, Any]] = [
    {},
    {"sweep": {"workers": 4}},
    {"delivery": {"exit_timeout": 2.5}},
    {"selection": SelectionConfig().model_dump(mode="json", by_alias=True)},
    {
        "selection": {
            "policies": {"mine": [{"step": "lexicographic", "metrics": ["objective", {"metric": "latency"}]}]}
        }
    },
    {"selection": {"objective": {"range": [0, 1], "bounds": {"worst": 0, "best": 1}}}},
]
BAD: list[dict[str, Any]] = [
    {"sweeps": {}},
    {"sweep": {"worker": 4}},
    {"sweep": {"workers": 0}},
    {"sweep": None},
    {"delivery": {"mode": "now"}},
    {"delivery": {"exit_timeout": "soon"}},
    {"naming": {}},
    {"selection": {"goal": "max"}},
    {"selection": {"objective": {"direction": "max"}}},
    {"selection": {"metrics": {"size": {"from": "benchmark", "name": "size"}}}},
    {"selection": {"policies": {"mine": [{"weights": {"objective": 1}}]}}},
]


@pytest.mark.parametrize("document", GOOD, ids=str)
def test_the_schema_accepts_what_the_settings_accept(document: dict[str, Any]) -> None:
    assert broken(document) == []


@pytest.mark.parametrize("document", BAD, ids=str)
def test_the_schema_refuses_a_misspelt_key_and_a_wrong_value(document: dict[str, Any]) -> None:
    assert broken(document)


def test_no_other_file_has_a_schema() -> None:
    with pytest.raises(ConfigError, match=r"settings\.yaml") as caught:
        settings_schema("settings.yaml")
    assert "studbook.yaml" in caught.value.cure
