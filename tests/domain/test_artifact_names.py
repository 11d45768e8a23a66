"""Which names and paths every file system and backend can hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.artifact_names import check_artifact_name, check_path, check_paths
from studbook.domain.errors import ArtifactNameInvalid


@pytest.mark.parametrize(
    "path", ["a", "a/b.txt", ".hidden", "ß 日本.txt", "a b", "CONSOLE", "x" * 255, "a.a02", "studbook"]
)
def test_portable_paths(path: str) -> None:
    check_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "a/./b",
        "../a",
        "a\\b",
        "C:",
        "a*",
        'a"',
        "a?",
        "<a>",
        "a|b",
        "a\nb",
        "a\x7f",
        " a",
        "a ",
        "a/b.",
        "con",
        "NUL.txt",
        "a/Lpt9.tar.gz",
        "x" * 256,
        "ß" * 128,
        "/".join("a" * 33),
        "/".join(["x" * 200] * 6),
        "\udcff",
        ".studbook-acquired/a",
        ".Studbook-Acquired/a",
    ],
)
def test_paths_that_are_not_portable(path: str) -> None:
    with pytest.raises(ArtifactNameInvalid):
        check_path(path)


@pytest.mark.parametrize("name", ["studbook/x", "STUDBOOK", "checkpoint.a002", "a/b.a1000", "../x"])
def test_reserved_artifact_names(name: str) -> None:
    with pytest.raises(ArtifactNameInvalid):
        check_artifact_name(name)


@pytest.mark.parametrize("name", ["checkpoint", "logs/studbook", "checkpoint.a02", "a.a002/b", "studbooks"])
def test_artifact_names(name: str) -> None:
    check_artifact_name(name)


@pytest.mark.parametrize(
    "paths",
    [
        ["a.txt", "A.TXT"],
        ["dir/a", "Dir/b"],
        ["\u00e9", "e\u0301"],
        ["a", "a/b"],
        ["a", "A/b"],
        ["stra\u00dfe", "STRASSE"],
        ["a", "a"],
    ],
)
def test_paths_that_are_one_on_some_file_system(paths: list[str]) -> None:
    for ordered in (paths, paths[::-1]):
        with pytest.raises(ArtifactNameInvalid):
            check_paths(ordered)


@given(st.lists(st.from_regex(r"[a-c]{1,2}(/[a-c]{1,2}){0,2}", fullmatch=True), unique=True, max_size=8))
def test_a_tree_of_plain_names_is_refused_only_where_a_file_is_a_folder(paths: list[str]) -> None:
    clash = any(other.startswith(f"{path}/") for path in paths for other in paths)
    try:
        check_paths(paths)
    except ArtifactNameInvalid:
        assert clash
    else:
        assert not clash
