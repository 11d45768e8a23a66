"""A workspace that is named by settings: recorded for without a network, delivered to when there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_stand_in.workspace import SCOPE, URI, Workspace
from studbook import Studbook
from studbook.domain.errors import DeliveryPending, TrackingDenied


@pytest.fixture
def parts() -> dict[str, object]:
    """The settings."""
    *_, subscription, _, group, _, _, _, name = SCOPE.split("/")
    said = {"subscription_id": subscription, "resource_group": group, "workspace_name": name}
    return {f"tracking.azure.{key}": value for key, value in said.items()}


@pytest.mark.parametrize("uri", [None, URI], ids=["by its name", "by its address"])
def test_what_is_recorded_without_a_network_is_delivered_later_however_it_is_named_then(
    tmp_path: Path,
    parts: dict[str, object],
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    uri: str | None,
) -> None:
    proxies = ("HTTPS_PROXY", "https_proxy")
    home = tmp_path / "home"
    with monkeypatch.context() as offline:
        for name in proxies:
            offline.setenv(name, "http://127.0.0.1:9")
        with Studbook.open(home=home, delivery="manual", overrides=parts) as book:
            with book.run("mine") as run:
                run.log_metrics({"loss": 0.5})
            with pytest.raises((DeliveryPending, TrackingDenied)):
                book.flush(timeout=1)
    assert workspace.requests() == []
    named = parts if uri is None else {"tracking.uri": uri}
    with Studbook.open(home=home, delivery="manual", overrides=named) as book:
        book.flush()
        assert book.find(run.key).metrics == {"loss": 0.5}
    assert len(workspace.requests("api-version")) == (1 if uri is None else 0)
