"""The target is decided by the URI's scheme alone, and never shows a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.config.origin import Origin, Source
from studbook.config.tracking_target import (
    SaidUri,
    TargetKind,
    TrackingTarget,
    file_store_folder,
    resolve_target,
)
from studbook.domain.errors import UnsupportedTarget

HOME = Path("/project/.studbook")


def resolve(uri: str, folder: str = "/project") -> TrackingTarget:
    return resolve_target(SaidUri(uri, Origin(Source.FILE, "studbook.yaml:3", Path(folder))), home=HOME)


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("sqlite:///mlflow.db", TargetKind.SQLITE),
        ("SQLite:////data/mlflow.db", TargetKind.SQLITE),
        ("postgresql://host/db", TargetKind.DATABASE),
        ("postgresql+psycopg2://host/db", TargetKind.DATABASE),
        ("mysql+pymysql://host/db", TargetKind.DATABASE),
        ("mssql+pyodbc://host/db", TargetKind.DATABASE),
        ("http://host:5000", TargetKind.SERVER),
        ("https://host/azureml/sqlite", TargetKind.SERVER),
        ("https://azureml.example/workspaces", TargetKind.SERVER),
        ("sqlite:////home/azureml/mlflow.db", TargetKind.SQLITE),
        ("azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/s", TargetKind.AZUREML),
        ("memory://", TargetKind.MEMORY),
        ("memory:", TargetKind.MEMORY),
    ],
)
def test_the_scheme_decides_the_kind(uri: str, kind: TargetKind) -> None:
    assert resolve(uri).kind is kind


@pytest.mark.parametrize(
    "uri", ["./mlruns", "mlruns", "/data/mlruns", "file:///data/mlruns", "C:\\mlruns", ""]
)
def test_a_file_store_is_refused_with_both_ways_out(uri: str) -> None:
    with pytest.raises(UnsupportedTarget) as caught:
        resolve(uri)
    assert "sqlite:///" in caught.value.cure
    assert "studbook migrate" in caught.value.cure
    assert "mlflow migrate-filestore" in caught.value.cure
    assert "studbook.yaml:3" in caught.value.problem


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("mlruns", "/project/mlruns"),
        ("./a/../mlruns", "/project/mlruns"),
        ("/data/mlruns", "/data/mlruns"),
        ("file:///data/ml%20runs", "/data/ml runs"),
        ("file:mlruns", "/project/mlruns"),
        ("sqlite:///mlflow.db", None),
        ("http://host", None),
    ],
)
def test_a_path_or_file_uri_names_a_folder_to_read(uri: str, folder: str | None) -> None:
    found = file_store_folder(uri, Path("/project"))
    assert found == (None if folder is None else Path(folder))


@pytest.mark.parametrize(
    "uri", ["databricks://profile", "sqlite+aiosqlite:///a.db", "http+unix://s", "http:host", "azureml:ws"]
)
def test_other_schemes_are_refused_naming_those_that_work(uri: str) -> None:
    with pytest.raises(UnsupportedTarget) as caught:
        resolve(uri)
    assert "http(s)://" in caught.value.cure
    assert "postgresql://" in caught.value.cure
    assert "azureml://" in caught.value.cure


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("s3://bucket/mlflow", "s3://bucket/mlflow"),
        ("/data/artifacts", "/data/artifacts"),
        ("../artifacts", "/artifacts"),
        (" mlartifacts ", "/project/mlartifacts"),
    ],
)
def test_an_artifact_root_is_a_uri_or_a_path_from_whoever_said_it(text: str, root: str) -> None:
    said = SaidUri(text, Origin(Source.FILE, "studbook.yaml:4", Path("/project")))
    target = resolve_target(None, home=Path("/project/.studbook"), artifact_root=said)
    assert target.artifact_root == root


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:mlflow.db", "sqlite:///:memory:"])
def test_an_sqlite_uri_without_a_file_is_refused(uri: str) -> None:
    with pytest.raises(UnsupportedTarget, match="names no file"):
        resolve(uri)


@pytest.mark.parametrize(
    ("uri", "folder", "absolute"),
    [
        ("sqlite:///mlflow.db", "/project", "sqlite:////project/mlflow.db"),
        ("sqlite:///../runs/m.db", "/project/conf", "sqlite:////project/runs/m.db"),
        ("sqlite:////data/m.db", "/project", "sqlite:////data/m.db"),
        ("sqlite:///m.db?timeout=5", "/project", "sqlite:////project/m.db?timeout=5"),
    ],
)
def test_an_sqlite_path_starts_from_whoever_said_it(uri: str, folder: str, absolute: str) -> None:
    assert resolve(uri, folder).uri == absolute


def test_the_default_is_beside_the_home() -> None:
    target = resolve_target(None, home=HOME)
    assert (target.uri, target.decided_by) == ("sqlite:////project/mlflow.db", Source.DEFAULT)


def test_a_folder_that_no_sqlite_uri_can_name_is_refused() -> None:
    with pytest.raises(UnsupportedTarget, match="question mark"):
        resolve_target(None, home=Path("/why?/.studbook"))


def test_a_workspace_uri_takes_its_v2_form_without_query() -> None:
    uri = "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/S/mlflow/v1.0/x?a=b"
    assert resolve(uri).uri == (
        "azureml://westeurope.api.azureml.ms/mlflow/v2.0/subscriptions/S/mlflow/v1.0/x"
    )


def test_the_display_keeps_host_port_and_path() -> None:
    target = resolve("https://me:hush@[::1]:5000/mlflow?token=hush#hush")
    assert target.display == "https://[::1]:5000/mlflow"


secrets = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=4, max_size=12).map(
    lambda text: f"S3{text}cret"
)
templates = st.sampled_from(
    [
        "postgresql://user:{}@host/db",
        "postgresql://{}@host/db",
        "https://{}:x@host/path",
        "https://host/path?token={}",
        "mssql+pyodbc://host/db?odbc_connect={}",
        "http://user:{}@host:80/a?b=c@d",
        "azureml://host/mlflow/v1.0/x?sig={}",
        "sqlite:///a.db?key={}",
    ]
)


@given(templates, secrets)
def test_no_part_of_a_secret_is_ever_displayed(template: str, secret: str) -> None:
    target = resolve(template.format(secret))
    shown = target.display + repr(target)
    assert secret not in shown
    assert "S3" not in shown
    assert "cret" not in shown


def test_a_password_without_a_host_is_not_taken_for_a_port() -> None:
    assert resolve("mysql://user:hush").display == "mysql://***"


@given(secrets)
def test_a_refusal_does_not_repeat_the_uri(secret: str) -> None:
    with pytest.raises(UnsupportedTarget) as caught:
        resolve(f"oracle://user:{secret}@host")
    assert secret not in f"{caught.value!s}{caught.value.details}"
