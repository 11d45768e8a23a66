"""What makes a tree of files valid as an artifact of a kind. Nothing is unpickled or imported."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator

from .checkpoint_profiles import check_profile
from .manifest import ArtifactKind
from .tree_view import InvalidReason, TreeView, parse_json, read_object, read_whole, refuse


def validate(kind: ArtifactKind, tree: TreeView, profile: str | None = None) -> str | None:
    """The profile that holds: a checkpoint's or model's, None for the other kinds.

    With `profile` given, that one must hold; without, the first whose sign is there. Raises ArtifactInvalid
    with `reason` and `path` in its details.
    """
    if not tree.paths:
        refuse(InvalidReason.EMPTY, "", "there is no file")
    if kind in (ArtifactKind.CHECKPOINT, ArtifactKind.MODEL):
        return check_profile(tree, profile)
    if profile is not None:
        refuse(InvalidReason.UNRECOGNISED, "", f"a {kind} has no profile {profile!r}")
    if check := _CHECKS.get(kind):
        check(tree)
    return None


def _metadata(tree: TreeView) -> None:
    for name in ("trial_meta.json", "metadata.json", "run_metadata.json"):
        if name in tree.paths:
            read_object(tree, name)
            return
    read_object(tree, _only_file(tree))


def _config(tree: TreeView) -> None:
    path = _only_file(tree)
    content = read_whole(tree, path)
    suffix = path.rsplit(".", 1)[-1] if "." in path else ""
    if suffix == "json":
        _want_structure(parse_json(content, path), path)
    elif suffix in ("yaml", "yml"):
        _want_structure(_parsed(tree.yaml, path, path, "safe YAML"), path)
    elif suffix == "toml":
        _parsed(tomllib.loads, _text(content, path), path, "TOML")
    elif suffix == "jsonl":
        for line in _text(content, path).removesuffix("\n").split("\n"):
            parse_json(line.encode(), path)
    else:
        _text(content, path)


def _metrics(tree: TreeView) -> None:
    path = _only_file(tree)
    value = parse_json(read_whole(tree, path), path, allow_nan=True)
    if not isinstance(value, dict):
        refuse(InvalidReason.NOT_AN_OBJECT, path, "the JSON is no object")
    numbers = list(_numbers(value))
    if not all(isinstance(n, int) or math.isfinite(n) for n in numbers):
        refuse(InvalidReason.NOT_FINITE, path, "a number is NaN or infinite")
    if not numbers:
        refuse(InvalidReason.NO_NUMBER, path, "there is no number")


def _logs(tree: TreeView) -> None:
    if not any(tree.size(path) > 0 for path in tree.paths):
        refuse(InvalidReason.EMPTY, "", "every file is empty")


_CHECKS: dict[ArtifactKind, Callable[[TreeView], None]] = {
    ArtifactKind.METADATA: _metadata,
    ArtifactKind.CONFIG: _config,
    ArtifactKind.METRICS: _metrics,
    ArtifactKind.LOGS: _logs,
}


def _only_file(tree: TreeView) -> str:
    if len(tree.paths) != 1 or "/" in tree.paths[0]:
        refuse(InvalidReason.WRONG_SHAPE, "", "a single file is wanted")
    return tree.paths[0]


def _text(content: bytes, path: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        refuse(InvalidReason.UNRECOGNISED, path, "the file is not UTF-8")


def _parsed(parse: Callable[[str], object], text: str, path: str, form: str) -> object:
    try:
        return parse(text)
    except (ValueError, RecursionError):
        refuse(InvalidReason.UNRECOGNISED, path, f"the file is not {form}")


def _want_structure(value: object, path: str) -> None:
    if not isinstance(value, dict | list):
        refuse(InvalidReason.NOT_AN_OBJECT, path, "a mapping or a list is wanted")


def _numbers(value: object) -> Iterator[float]:
    open_values = [value]
    while open_values:
        match open_values.pop():
            case bool():
                pass
            case int() | float() as number:
                yield number
            case dict() as mapping:
                open_values.extend(mapping.values())
            case list() as items:
                open_values.extend(items)
