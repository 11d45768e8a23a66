"""Settings from a YAML file, each with its line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from ..domain.errors import ConfigError
from .origin import Origin, Source
from .statement import KeyPath, Statement

_MAX_DEPTH = 20


class _Loader(yaml.SafeLoader):
    """YAML without dates: an instant stays the text that it is."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def yaml_statements(
    path: Path, source: Source = Source.FILE, below: KeyPath = (), *, name: str | None = None
) -> Iterator[Statement]:
    """What a file says; `below` puts its keys under a section. `name` stands for the path in origins.

    Raises ConfigError when the file cannot be read, is no YAML mapping, or says a key twice.
    """
    shown = name or str(path)
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{shown} cannot be read: {error}", cure="mend or remove the file") from error
    try:
        root = loader.get_single_node()
        if root is None:
            return
        if not isinstance(root, yaml.MappingNode):
            raise _invalid(shown, root, "a settings file is a mapping of keys to values")
        yield from _Reader(loader, source, shown, path.parent).read(root, below)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(
            f"{shown}:{line} is no valid YAML: {error.problem}", cure="mend the line"
        ) from error
    finally:
        loader.dispose()


class _Reader:
    def __init__(self, loader: _Loader, source: Source, shown: str, folder: Path) -> None:
        self._loader = loader
        self._source = source
        self._shown = shown
        self._folder = folder

    def read(self, node: yaml.MappingNode, below: KeyPath) -> Iterator[Statement]:
        if len(below) > _MAX_DEPTH:
            raise _invalid(self._shown, node, "is nested too deeply")
        self._refuse_repeats(node)
        self._loader.flatten_mapping(node)
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _invalid(self._shown, key_node, "a key is a single word")
            key = (*below, key_node.value)
            if isinstance(value_node, yaml.MappingNode) and value_node.value:
                yield from self.read(value_node, key)
            else:
                place = f"{self._shown}:{key_node.start_mark.line + 1}"
                value = self._loader.construct_object(value_node, deep=True)
                yield Statement(key, value, Origin(self._source, place, self._folder))

    def _refuse_repeats(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise _invalid(self._shown, key_node, f"{key_node.value!r} is said twice in one section")
                seen.add(key_node.value)


def _invalid(shown: str, node: yaml.Node, problem: str) -> ConfigError:
    return ConfigError(f"{shown}:{node.start_mark.line + 1}: {problem}", cure="mend the line")
