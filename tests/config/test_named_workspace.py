"""A workspace is named by its URI, by three settings, or by its downloaded file; the strongest source decides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studbook.config.settings import LoadedSettings, load_settings
from studbook.config.tracking_target import named_target
from studbook.domain.errors import ConfigError

URI = "azureml:///subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
PARTS = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
VARIABLES = {f"STUDBOOK_TRACKING__AZURE__{name.upper()}": value for name, value in PARTS.items()}
BY_PARTS = "tracking:\n  azure:\n" + "".join(f"    {name}: {value}\n" for name, value in PARTS.items())


def load(
    folder: Path, file: str = "", environ: dict[str, str] | None = None, **said: object
) -> LoadedSettings:
    (folder / "studbook.yaml").write_text(file)
    return load_settings(folder, {f"tracking.{key}": value for key, value in said.items()}, environ or {})


def test_three_settings_name_it(tmp_path: Path) -> None:
    target = load(tmp_path, BY_PARTS).target
    assert (target.kind, target.uri, target.display) == ("azureml", URI, URI)
    assert (target.decided_by, target.origin) == ("file", f"{tmp_path / 'studbook.yaml'}:3")
    assert named_target(target.display).id == target.id


def test_it_is_one_target_however_it_is_named(tmp_path: Path) -> None:
    host = "azureml://westeurope.api.azureml.ms/mlflow"
    full = [load(tmp_path, uri=URI.replace("azureml://", f"{host}/{api}")).target for api in ("v1.0", "v2.0")]
    short = load(tmp_path, BY_PARTS).target
    assert {target.id for target in (*full, short)} == {short.id}
    assert {target.display for target in full} == {URI}
    assert {target.uri for target in full} == {URI.replace("azureml://", f"{host}/v2.0")}


def test_they_may_come_from_several_places_and_the_strongest_of_them_decides(tmp_path: Path) -> None:
    target = load(tmp_path, BY_PARTS, {"STUDBOOK_TRACKING__AZURE__WORKSPACE_NAME": "other"}).target
    assert target.uri == URI[:-1] + "other"
    assert target.origin == "STUDBOOK_TRACKING__AZURE__WORKSPACE_NAME"


def test_the_downloaded_file_names_it_from_where_it_is_said(tmp_path: Path) -> None:
    content = json.dumps({**PARTS, "Scope": "of later versions"})
    (tmp_path / "config.json").write_text(content, encoding="utf-8-sig")
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "studbook.yaml").write_text("tracking:\n  azure:\n    config: config.json\n")
    assert load_settings(inner, {}, {}).target.uri == URI


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        ("{", "cannot be read"),
        ("[]", "names no workspace"),
        ('{"subscription_id": "s", "resource_group": "g"}', "names no workspace"),
        ('{"subscription_id": "s", "resource_group": "g", "workspace_name": 7}', "names no workspace"),
        ('{"subscription_id": "s", "resource_group": "g", "workspace_name": "a/b"}', "workspace_name in"),
    ],
)
def test_a_file_that_names_none_is_refused(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load(tmp_path, "tracking:\n  azure:\n    config: config.json\n")
    assert str(tmp_path / "config.json") in caught.value.problem


@pytest.mark.parametrize("missing", PARTS)
def test_a_part_alone_is_refused_and_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    parts = {name: value for name, value in VARIABLES.items() if not name.endswith(missing.upper())}
    with pytest.raises(ConfigError, match=f"tracking.azure.{missing} is missing"):
        load(tmp_path, environ=parts)


def test_one_source_that_names_it_in_two_ways_is_refused_with_both(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="in two ways") as caught:
        load(tmp_path, BY_PARTS.replace("tracking:\n", f"tracking:\n  uri: {URI}\n"))
    assert f"tracking.uri ({tmp_path / 'studbook.yaml'}:2)" in caught.value.problem
    assert f"workspace_name ({tmp_path / 'studbook.yaml'}:4)" in caught.value.problem
    with pytest.raises(ConfigError, match=r"tracking.azure.config \(STUDBOOK_"):
        load(tmp_path, environ={**VARIABLES, "STUDBOOK_TRACKING__AZURE__CONFIG": "config.json"})


@pytest.mark.parametrize(
    ("environ", "said", "uri"),
    [
        ({"STUDBOOK_TRACKING__URI": "memory://"}, {}, "memory://"),
        ({"MLFLOW_TRACKING_URI": "memory://"}, {}, "memory://"),
        ({}, {"uri": "memory://"}, "memory://"),
        (VARIABLES, {"uri": "memory://"}, "memory://"),
        ({"MLFLOW_TRACKING_URI": "memory://", **VARIABLES}, {}, URI),
        ({}, {}, URI),
    ],
    ids=str,
)
def test_a_stronger_source_decides_alone(
    tmp_path: Path, environ: dict[str, str], said: dict[str, str], uri: str
) -> None:
    assert load(tmp_path, BY_PARTS, environ, **said).target.uri == uri
