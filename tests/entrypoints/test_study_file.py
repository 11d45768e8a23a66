"""A study described by a file, and the function that it names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studbook.domain.errors import ConfigError, StudyInvalid
from studbook.entrypoints.study_file import StudyFile, load_study_file, training_function

GOOD = """
name: digits
train: {module}:train
space: {{x: {{type: float, low: 0, high: 1}}}}
objective: {{metric: f1, direction: maximize}}
trials: 3
"""


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports, and where from, ends with it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.startswith("sf_")]:
        del sys.modules[name]


def write(folder: Path, *, module: str = "training_a", more: str = "") -> Path:
    path = folder / "study.yaml"
    path.write_text(GOOD.format(module=module) + more)
    return path


def test_a_study_file_says_what_a_sweep_needs(tmp_path: Path) -> None:
    study = load_study_file(write(tmp_path, more="folds: 3\nsampler: {algorithm: random}\nrefit: true\n"))
    assert (study.name, study.trials, study.folds, study.refit) == ("digits", 3, 3, True)
    assert study.sampler.algorithm == "random"
    assert (study.pruner, study.workers, study.seed) == (None, None, 0)


@pytest.mark.parametrize(
    ("more", "problem", "cure"),
    [
        ("trails: 3\n", "unknown field 'trails'", "did you mean 'trials'?"),
        ("sampler: {algoritm: tpe}\n", "unknown field 'algoritm'", "algorithm"),
        ("folds: many\n", "folds", ""),
        ("seed: 1.5\n", "seed", ""),
        ("objective: {metric: f1, direction: up}\n", "study.yaml.objective.direction:", "maximize"),
        ("data: {digst: x}\n", "digst", "digest"),
    ],
)
def test_a_key_that_is_wrong_names_its_place_and_the_nearest(
    tmp_path: Path, more: str, problem: str, cure: str
) -> None:
    key = more.partition(":")[0]
    path = write(tmp_path)
    kept = [line for line in path.read_text().splitlines() if not line.startswith(f"{key}:")]
    path.write_text("\n".join([*kept, more]))
    with pytest.raises(StudyInvalid) as caught:
        load_study_file(path)
    assert path.name in caught.value.problem
    assert problem in caught.value.problem
    assert cure in caught.value.cure
    assert caught.value.cure


@pytest.mark.parametrize("key", ["name", "train", "space", "objective", "trials"])
def test_a_key_that_is_missing_is_named(tmp_path: Path, key: str) -> None:
    path = write(tmp_path)
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith(key)))
    with pytest.raises(StudyInvalid, match=key):
        load_study_file(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name: [", "no YAML in line 1"),
        (b"- a\n- b\n", "no mapping"),
        (b"", "no mapping"),
        (b"\xff\xfe\x00", "no text"),
    ],
)
def test_what_is_no_study_file_is_told_with_a_cure(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load_study_file(path)
    assert caught.value.cure
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_there_or_a_folder_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_study_file(path)


# --- the function


def study(tmp_path: Path, module: str) -> StudyFile:
    return load_study_file(write(tmp_path, module=module))


def test_the_function_is_found_beside_the_file_with_its_own_modules(tmp_path: Path) -> None:
    (tmp_path / "sf_models.py").write_text("SCORE = 0.5\n")
    (tmp_path / "sf_training.py").write_text(
        "from sf_models import SCORE\ndef train(context):\n    return SCORE\n"
    )
    assert training_function(study(tmp_path, "sf_training"), tmp_path)(None) == 0.5


def test_files_of_equal_names_in_two_folders_are_two_modules(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sf_same.py").write_text(f"def train(context):\n    return {name!r}\n")
        assert training_function(study(tmp_path / name, "sf_same"), tmp_path / name)(None) == name


def test_a_module_of_a_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "sf_package").mkdir()
    (tmp_path / "sf_package" / "inner.py").write_text("def train(context):\n    return 0.25\n")
    assert training_function(study(tmp_path, "sf_package.inner"), tmp_path)(None) == 0.25


def test_a_module_on_the_path_is_found(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(GOOD.format(module="json").replace("json:train", "json:loads"))
    assert training_function(load_study_file(path), tmp_path)("1") == 1


@pytest.mark.parametrize(
    ("code", "train", "words"),
    [
        (None, "sf_missing:train", "cannot be imported: No module"),
        ("def other(context): ...\n", "sf_wrong:train", "has no function 'train'"),
        ("train = 3\n", "sf_wrong:train", "has no function 'train'"),
        ("def train(:\n", "sf_wrong:train", "SyntaxError"),
        ("raise ValueError('at import')\n", "sf_wrong:train", "ValueError: at import"),
        ("import nowhere_to_be_found\n", "sf_wrong:train", "nowhere_to_be_found"),
        ("", "sf_wrong", "write module:function"),
    ],
)
def test_a_function_that_cannot_be_had_is_told_with_a_cure(
    tmp_path: Path, code: str | None, train: str, words: str
) -> None:
    if code is not None:
        (tmp_path / "sf_wrong.py").write_text(code)
    path = tmp_path / "study.yaml"
    path.write_text(GOOD.format(module="x").replace("x:train", train))
    with pytest.raises(StudyInvalid) as caught:
        training_function(load_study_file(path), tmp_path)
    assert words in str(caught.value)
    assert caught.value.cure
