"""TLS, proxies, and addresses where no MLflow is: what does not work says why, and what is set is honoured."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from urllib3.exceptions import InsecureRequestWarning

from faults.http_faults import Answer, FaultyProxy
from servers.certificates import self_signed, serving
from servers.mlflow_server import Server, free_port
from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.patience import Patience
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import StudbookError, TrackingUnavailable
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, new_run

from .round_trip import works

CERTIFICATE = "MLFLOW_TRACKING_SERVER_CERT_PATH"
INSECURE = "MLFLOW_TRACKING_INSECURE_TLS"


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(server: Server, certificate: Path) -> Iterator[FaultyProxy]:
    """The server behind TLS, with a certificate that nobody knows."""
    with FaultyProxy(server.uri, serving(certificate)) as listening:
        yield listening


def told(uri: str, code: str) -> TrackingUnavailable:
    """What a question and a write at this address say: the same, and of the write that it was not done."""
    store = MlflowTrackingStore(uri, run_key_tag=RUN_KEY_TAG, patience=Patience(attempts=2, first_wait_s=0.0))
    with pytest.raises(TrackingUnavailable) as asked:
        store.get_run("0" * 32)
    with pytest.raises(TrackingUnavailable) as written:
        store.create_run(new_run(fresh_name()))
    store.close()
    for error in (asked.value, written.value):
        assert (error.details["code"], error.details.get("outcome")) == (code, None)
    return asked.value


def test_an_unknown_certificate_is_refused_before_anything_is_sent(secure: FaultyProxy) -> None:
    error = told(secure.uri, "TLS")
    assert "self-signed certificate" in error.problem
    assert CERTIFICATE in error.cure
    assert not secure.requests()


def test_a_certificate_that_is_named_is_trusted(
    secure: FaultyProxy, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CERTIFICATE, str(certificate))
    works(secure.uri, tmp_path)
    assert secure.requests("mlflow-artifacts", "PUT")


def test_certificates_need_not_be_looked_at(
    secure: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(INSECURE, "true")
    with pytest.warns(InsecureRequestWarning):
        works(secure.uri, tmp_path)


def test_a_certificates_file_that_is_not_there_is_named(
    secure: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CERTIFICATE, str(tmp_path / "absent.pem"))
    assert "absent.pem" in told(secure.uri, "TLS").problem
    assert not secure.requests()


def test_a_server_without_tls_is_told_apart_from_one_that_is_down(proxy: FaultyProxy) -> None:
    error = told(proxy.uri.replace("http:", "https:"), "TLS")
    assert "https:" in error.cure
    assert not proxy.requests()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_is_gone_through(
    name: str, proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, proxy.uri)
    nobody = f"http://localhost:{free_port()}"
    works(nobody, tmp_path)
    assert {request.path.partition("/api/")[0] for request in proxy.requests()} == {nobody}


def test_a_proxy_is_not_asked_for_hosts_that_are_reached_without(
    server: Server, proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.uri)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    works(server.uri, tmp_path)
    assert not proxy.requests()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_down_is_told_and_its_password_is_not(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://me:hush@127.0.0.1:{free_port()}")
    error = told(f"{scheme}://tracking.invalid", "PROXY")
    assert "NO_PROXY" in error.cure
    assert "hush" not in f"{error} {error.details}"


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[str]:
    """A server of plain pages."""
    (tmp_path / "index.html").write_text("<html>It works!</html>")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with HTTPServer(("127.0.0.1", 0), handler) as httpd:
        serving_pages = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        serving_pages.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        serving_pages.join()


def test_a_server_of_something_else_is_no_mlflow(pages: str) -> None:
    assert "not an MLflow server" in told(pages, "NO_MLFLOW").problem


def test_a_page_for_people_in_place_of_an_answer_is_no_mlflow(proxy: FaultyProxy) -> None:
    proxy.on(
        "", Answer(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Log in</html>"), times=None
    )
    assert "check the tracking URI" in told(proxy.uri, "INVALID_RESPONSE").cure


def test_what_uploads_hear_on_the_way_is_the_same(secure: FaultyProxy) -> None:
    with pytest.raises(StudbookError) as refused:
        MlflowArtifactStore(secure.uri).list_files("0" * 32)
    assert refused.value.details["code"] == "TLS"
