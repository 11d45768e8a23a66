"""Settings: who wins, who is refused, and where each value came from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.config.known_keys import known_keys
from studbook.config.origin import Source
from studbook.config.schema import Settings
from studbook.config.settings import LoadedSettings, load_settings
from studbook.config.tracking_target import TargetKind
from studbook.domain.errors import ConfigError, NameInvalid, PolicyInvalid
from studbook.domain.naming import NamingTemplates
from studbook.domain.stage import Stage
from studbook.domain.vocabulary import DEFAULT_VOCABULARY


def load(folder: Path, environ: Mapping[str, str] | None = None, **overrides: object) -> LoadedSettings:
    named = {key.replace("__", "."): value for key, value in overrides.items()}
    return load_settings(folder, named, environ or {})


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@dataclass(frozen=True)
class Key:
    """A setting, a way to write its n-th value, and that value as it is read."""

    dotted: str
    texts: tuple[str, str, str, str]

    def in_yaml(self, text: str) -> str:
        lines = self.dotted.split(".")
        return "".join(f"{'  ' * depth}{name}:\n" for depth, name in enumerate(lines))[:-1] + f" {text}\n"

    @property
    def variable(self) -> str:
        return "STUDBOOK_" + self.dotted.replace(".", "__").upper()

    def read(self, loaded: LoadedSettings) -> str:
        value: object = loaded.settings
        for name in self.dotted.split("."):
            value = value[name] if isinstance(value, dict) else getattr(value, name)
        return str(value)


KEYS = [
    Key("project", ("a", "b", "c", "d")),
    Key("sweep.workers", ("2", "3", "4", "5")),
    Key("tracking.uri", ("http://a", "http://b", "http://c", "http://d")),
    Key("experiment", ("a", "b", "c", "d")),
    Key("selection.refit.requirement", ("required", "preferred", "trial", "required")),
]
OURS = (Source.CALLER, Source.ENVIRONMENT, Source.DOTENV, Source.FILE)


@given(st.sampled_from(KEYS), st.sets(st.sampled_from(OURS)))
def test_the_strongest_source_that_sets_a_key_decides_it(key: Key, speakers: set[Source]) -> None:
    text = dict(zip(OURS, key.texts, strict=True))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if Source.FILE in speakers:
            write(folder, "studbook.yaml", key.in_yaml(text[Source.FILE]))
        if Source.DOTENV in speakers:
            write(folder, ".env", f"{key.variable}={text[Source.DOTENV]}\n")
        environ = {key.variable: text[Source.ENVIRONMENT]} if Source.ENVIRONMENT in speakers else {}
        overrides = {key.dotted: text[Source.CALLER] if Source.CALLER in speakers else None}
        loaded = load_settings(folder, overrides, environ)
        untouched = load_settings(folder / "elsewhere", {}, {})
    ranked = [source for source in OURS if source in speakers]
    origins = [loaded.origins.get(key.dotted), *loaded.overruled.get(key.dotted, ())]
    said = [origin.source for origin in origins if origin and origin.source is not Source.DEFAULT]
    assert said == ranked
    if ranked:
        assert key.read(loaded) == text[ranked[0]]
    else:
        assert loaded.settings == untouched.settings


def test_mlflows_variables_stand_between_the_environment_and_dotenv(tmp_path: Path) -> None:
    write(tmp_path, ".env", "STUDBOOK_TRACKING__URI=http://dotenv\nSTUDBOOK_EXPERIMENT=dotenv\n")
    mlflow = {"MLFLOW_TRACKING_URI": "http://mlflow", "MLFLOW_EXPERIMENT_NAME": "mlflow"}
    loaded = load(tmp_path, mlflow)
    assert (loaded.target.uri, loaded.target.experiment) == ("http://mlflow", "mlflow")
    assert (loaded.target.decided_by, loaded.target.origin) == (
        Source.MLFLOW_ENVIRONMENT,
        "MLFLOW_TRACKING_URI",
    )
    ours = load(tmp_path, {**mlflow, "STUDBOOK_TRACKING__URI": "http://ours"})
    assert ours.target.uri == "http://ours"
    assert [origin.place for origin in ours.overruled["tracking.uri"]][:2] == [
        "MLFLOW_TRACKING_URI",
        f"{tmp_path / '.env'}:1",
    ]


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"MLFLOW_TRACKING_URI": "", "STUDBOOK_EXPERIMENT": "", "STUDBOOK_SWEEP": ""})
    assert loaded.target.decided_by is Source.DEFAULT
    assert loaded.settings.experiment is None


@pytest.mark.parametrize(
    ("environ", "nearest"),
    [
        ({"STUDBOOK_DELIVERY__MOED": "inline"}, "STUDBOOK_DELIVERY__MODE"),
        ({"STUDBOOK_HOMES": "x"}, "STUDBOOK_HOME"),
        ({"STUDBOOK_TRACKING_URI": "x"}, "STUDBOOK_TRACKING__URI"),
        ({"STUDBOOK_HOMES": ""}, "STUDBOOK_HOME"),
        ({"STUDBOOK_RELAY__MODE": "inline"}, "STUDBOOK_DELIVERY__MODE"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest(
    tmp_path: Path, environ: dict[str, str], nearest: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ)
    assert nearest in caught.value.cure
    assert next(iter(environ)) in caught.value.problem


def test_a_variable_that_is_like_no_setting_gets_no_false_friend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"STUDBOOK_TYPO__X": "1"})
    assert "nearest" not in caught.value.cure
    assert "studbook config show" in caught.value.cure


def test_variables_that_are_no_settings_are_left_alone(tmp_path: Path) -> None:
    load(
        tmp_path, {"STUDBOOK_RUN_CONTEXT": "{}", "STUDBOOK_TEST_SERVER": "x", "STUDBOOKISH": "x", "HOME": "/"}
    )


@pytest.mark.parametrize(
    ("file", "text", "line", "words"),
    [
        ("studbook.yaml", "project: a\ndelivry:\n  mode: inline\n", 3, "delivery.mode"),
        ("studbook.yaml", "sweep:\n  worker: 2\n", 2, "sweep.workers"),
        ("studbook.yaml", "project: a\nsweep:\n", 2, "is a section"),
        ("studbook.yaml", "selection:\n", 1, "is a section"),
        ("studbook.yaml", "sweep: 3\n", 1, "is a section"),
        ("studbook.yaml", "project: {a: 1}\n", 1, "one value"),
        ("studbook.yaml", "project: a\nproject: b\n", 2, "twice"),
        ("studbook.yaml", "sweep: [1\n", 2, "no valid YAML"),
        ("studbook.yaml", "- a\n", 1, "mapping"),
        ("studbook.yaml", "? [a, b]\n: c\n", 1, "single word"),
        ("studbook.yaml", "selection: &a\n  b: *a\n", 1, "too deeply"),
        ("studbook.yaml", "naming:\n  hex_length: 8\n", 2, "naming.yaml"),
        ("studbook.yaml", "\ndelivery:\n  mode: sometimes\n", 3, "'inline' or 'manual'"),
        ("studbook.yaml", "delivery:\n  exit_timeout: soon\n", 2, "duration"),
        ("studbook.yaml", "sweep:\n  workers: 0\n", 2, "greater than or equal to 1"),
        ("studbook.yaml", "project: -a\n", 1, "project"),
        ("studbook.yaml", "selection:\n  scope:\n    sience: 2024-01-01\n", 3, "scope.sience"),
        ("naming.yaml", "runs:\n  hpo_sweeep: x\n", 2, "naming.runs.hpo_sweep"),
        ("tags.yaml", "user_tags: closed\n", 1, "'open' or 'declared'"),
        (".env", "\n# a comment\nFOO=1\nSTUDBOOK_HOMES=x\n", 4, "STUDBOOK_HOME"),
        (".env", "FOO=1\n'unclosed\n", 2, "no assignment"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(
    tmp_path: Path, file: str, text: str, line: int, words: str
) -> None:
    path = write(tmp_path, file, text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert f"{path}:{line}" in str(caught.value)
    assert words in str(caught.value)


def test_a_policy_error_names_who_said_it(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="STUDBOOK_SELECTION__SCOPE__REFITS"):
        load(tmp_path, {"STUDBOOK_SELECTION__SCOPE__REFITS": "none"})


def test_an_error_does_not_repeat_the_value(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"STUDBOOK_SWEEP__WORKERS": "hush", "STUDBOOK_ARTIFACTS__STORE__EXCLUDE": '["a"]'})
    assert "hush" not in f"{caught.value!s}{caught.value.details}"


def test_an_unreadable_file_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "studbook.yaml").write_bytes(b"project: \xff\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_a_named_settings_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no settings file"):
        load_settings(tmp_path, {}, {}, config=Path("other.yaml"))


def test_an_experiment_that_not_every_backend_finds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NameInvalid):
        load(tmp_path, {"MLFLOW_EXPERIMENT_NAME": "my experiment"})


def test_the_nearest_settings_file_upwards_is_the_projects(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    write(tmp_path, "studbook.yaml", "project: outer\ntracking:\n  uri: sqlite:///runs.db\n")
    write(tmp_path, "naming.yaml", "hex_length: 10\nruns:\n  benchmark: '{model}'\n")
    write(tmp_path, "tags.yaml", "keys: {run.stage: acme.stage}\n")
    loaded = load(inner)
    assert loaded.settings.project == "outer"
    assert loaded.home == tmp_path / ".studbook"
    assert loaded.target.uri == f"sqlite:///{tmp_path}/runs.db"
    assert loaded.target.origin == f"{tmp_path / 'studbook.yaml'}:3"
    assert loaded.settings.naming.templates() == NamingTemplates(
        hex_length=10, runs={Stage.BENCHMARK: "{model}"}
    )
    assert loaded.settings.tags.vocabulary().key("run.stage") == "acme.stage"


def test_dotenv_is_looked_for_up_to_the_projects_folder_and_not_above(tmp_path: Path) -> None:
    project, inner = tmp_path / "p", tmp_path / "p" / "a"
    inner.mkdir(parents=True)
    write(tmp_path, ".env", "STUDBOOK_CREATED_BY=above\n")
    write(project, "studbook.yaml", "")
    assert load(inner).settings.created_by == ""
    write(project, ".env", "STUDBOOK_CREATED_BY=project\n")
    assert load(inner).settings.created_by == "project"
    write(inner, ".env", "export STUDBOOK_CREATED_BY='inner'\n")
    assert load(inner).settings.created_by == "inner"


@pytest.mark.parametrize("source", ["override", "environment", "file"])
def test_a_relative_home_starts_from_whoever_said_it(tmp_path: Path, source: str) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    write(tmp_path, "studbook.yaml", "home: ../kept\n" if source == "file" else "project: p\n")
    environ = {"STUDBOOK_HOME": "here"} if source == "environment" else {}
    overrides = {"home": "now"} if source == "override" else {}
    home = load_settings(inner, overrides, environ).home
    expected = {"override": inner / "now", "environment": inner / "here", "file": tmp_path.parent / "kept"}
    assert home == expected[source]


def test_without_a_settings_file_everything_is_in_the_working_directory(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.home == tmp_path / ".studbook"
    assert loaded.target.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert loaded.target.kind is TargetKind.SQLITE


def test_a_later_section_of_json_yields_to_a_single_variable(tmp_path: Path) -> None:
    environ = {"STUDBOOK_SWEEP__WORKERS": "3", "STUDBOOK_SWEEP": '{"workers": 2, "fold_runs": false}'}
    sweep = load(tmp_path, environ).settings.sweep
    assert (sweep.workers, sweep.fold_runs) == (3, False)


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10.0), ("5 m", 300.0), ("1h", 3600.0), ("0.5d", 43200.0), ("7", 7.0)]
)
def test_durations_take_units(tmp_path: Path, text: str, seconds: float) -> None:
    assert load(tmp_path, {"STUDBOOK_DELIVERY__EXIT_TIMEOUT": text}).settings.delivery.exit_timeout == seconds


def test_free_mappings_merge_key_by_key(tmp_path: Path) -> None:
    write(
        tmp_path,
        "studbook.yaml",
        "selection:\n  scope: {since: 2024-01-01T00:00:00Z, mix_schemas: false}\n  noise_z: 2\n",
    )
    environ = {
        "STUDBOOK_SELECTION__SCOPE__MIX_SCHEMAS": "true",
        "STUDBOOK_SELECTION__OBJECTIVE__RANGE": "[0, 1]",
    }
    loaded = load(tmp_path, environ, selection__noise_z=3)
    assert loaded.selection.scope.mix_schemas is True
    assert loaded.selection.scope.since is not None
    assert loaded.selection.noise_z == 3.0
    assert loaded.settings.selection["objective"] == {"range": [0, 1]}


def test_a_value_replaces_a_mapping_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, "studbook.yaml", "selection:\n  objective:\n    range: {lo: 0, hi: 1}\n")
    loaded = load(tmp_path, {"STUDBOOK_SELECTION__OBJECTIVE__RANGE": "[0, 1]"})
    assert loaded.settings.selection == {"objective": {"range": [0, 1]}}
    assert len(loaded.overruled["selection.objective.range"]) == 2


def test_the_shipped_defaults_are_the_domains(tmp_path: Path) -> None:
    settings = load(tmp_path).settings
    assert settings.naming.templates() == NamingTemplates()
    assert settings.tags.vocabulary() == DEFAULT_VOCABULARY
    assert settings.tags.declared() is None


def test_declared_tags_are_those_of_the_project(tmp_path: Path) -> None:
    write(
        tmp_path, "tags.yaml", "user_tags: declared\ncustom:\n  team: {key: acme.team, stages: [benchmark]}\n"
    )
    assert load(tmp_path).settings.tags.declared() == {"acme.team": frozenset({Stage.BENCHMARK})}


@pytest.mark.parametrize(
    ("custom", "words"),
    [
        ("team: {key: studbook.team, stages: []}", "custom.team"),
        ("team: {key: acme.stage, stages: []}", "custom.team"),
        ("team: {key: 'a:b', stages: []}", "custom.team"),
        ("team: {key: '', stages: []}", "custom.team"),
        ("team: {key: x, stages: []}\n  crew: {key: x, stages: []}", "to custom.team and to custom.crew"),
        ("team: {key: x, stages: [benchmrk]}", "custom.team.stages"),
    ],
)
def test_a_tag_of_the_project_that_cannot_be_written_is_refused(
    tmp_path: Path, custom: str, words: str
) -> None:
    write(tmp_path, "tags.yaml", f"keys: {{run.stage: acme.stage}}\ncustom:\n  {custom}\n")
    with pytest.raises(ConfigError, match=words):
        load(tmp_path)


def test_legacy_experiments_may_have_any_name(tmp_path: Path) -> None:
    write(tmp_path, "studbook.yaml", "legacy: {experiments: [old searches, b/c]}\n")
    assert load(tmp_path).settings.legacy.experiments == ("old searches", "b/c")


def test_every_key_has_a_shipped_default_with_its_line(tmp_path: Path) -> None:
    origins = load(tmp_path).origins
    free = {("selection",), ("tags", "keys"), ("tags", "aliases"), ("tags", "custom")}
    assert {".".join(key) for key in known_keys(Settings) if key not in free} == set(origins)
    assert {origin.source for origin in origins.values()} == {Source.DEFAULT}


def test_constructing_settings_reads_no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tree = load(tmp_path).settings.model_dump()
    monkeypatch.setenv("STUDBOOK_PROJECT", "other")
    assert Settings(**tree).project == "studbook"


def test_loading_changes_no_environment_and_makes_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STUDBOOK_CREATED_BY", "me")
    before = dict(os.environ)
    assert load_settings(tmp_path).settings.created_by == "me"
    assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []


def test_secrets_of_the_target_are_in_no_repr(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"STUDBOOK_TRACKING__URI": "postgresql://me:hush@host/db"})
    assert "hush" not in repr(loaded)
    assert loaded.target.uri == "postgresql://me:hush@host/db"
