"""`python -m benchmarks.reading WHAT URI`: read a large store in one way; seconds and megabytes as JSON."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing

from studbook import Studbook
from studbook.domain.selection.fields import READ
from studbook.domain.stage import Stage
from studbook.domain.vocabulary import DEFAULT_VOCABULARY as WORDS
from studbook.ports.run_query import ANY_STATUS, RunQuery

from .large_store import EXPERIMENT, PROJECT

_STAGES = frozenset({Stage.SWEEP, Stage.TRIAL, Stage.REFIT, Stage.BENCHMARK})
_KEYS = frozenset(key for name in READ.tags for key in WORDS.read_keys(name))
_PAGE = 1_000
_Row = tuple[tuple[object, ...], dict[str, str], dict[str, float]]


def select(uri: str) -> Callable[[], object]:
    """The whole decision."""
    book = _book(uri)
    return lambda: book.select("best_metric", dry_run=True)


def find(uri: str) -> Callable[[], object]:
    """The runs that a decision reads."""
    store = _book(uri).container.tracking_store()
    query = RunQuery(
        (EXPERIMENT,),
        ANY_STATUS,
        tags={WORDS.key("run.project"): PROJECT},
        tag_in={WORDS.key("run.stage"): _STAGES},
        tag_fields=_KEYS,
        param_fields=READ.params,
    )
    return lambda: list(store.find(query))


def client(uri: str) -> Callable[[], object]:
    """The same runs through MLflow's client."""
    from mlflow import MlflowClient

    asked = MlflowClient(uri, registry_uri=uri)
    experiment = asked.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None

    def pages() -> None:
        token = None
        while True:
            page = asked.search_runs(
                [experiment.experiment_id],
                f"tags.`{WORDS.key('run.project')}` = '{PROJECT}'",
                max_results=_PAGE,
                page_token=token,
            )
            token = page.token
            if not token:
                return

    return pages


def sql(uri: str) -> Callable[[], object]:
    """The same fields by statements that somebody wrote for this one question."""

    def read() -> dict[str, _Row]:
        keys = ", ".join(f"'{key}'" for key in sorted(_KEYS))
        with closing(_connection(uri)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(
                "SELECT r.run_uuid, r.name, r.status, r.lifecycle_stage, r.start_time, r.end_time FROM runs r "
                "JOIN experiments e ON e.experiment_id = r.experiment_id "
                f"JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = '{WORDS.key('run.project')}' "
                f"WHERE e.name = '{EXPERIMENT}' AND t.value = '{PROJECT}'"
            )
            runs: dict[str, _Row] = {row[0]: (row, {}, {}) for row in cursor.fetchall()}
            cursor.execute(f"SELECT run_uuid, key, value FROM tags WHERE key IN ({keys})")
            for run_id, key, value in cursor:
                if run_id in runs:
                    runs[run_id][1][key] = value
            cursor.execute("SELECT run_uuid, key, value FROM latest_metrics")
            for run_id, key, value in cursor:
                if run_id in runs:
                    runs[run_id][2][key] = value
        return runs

    return read


def _book(uri: str) -> Studbook:
    overrides = {"tracking.artifact_root": "/nowhere"} if uri.startswith("postgresql") else None
    return Studbook.open(uri, home=tempfile.mkdtemp(), delivery="manual", overrides=overrides)


def _connection(uri: str):  # type: ignore[no-untyped-def]  # of either driver
    if uri.startswith("sqlite"):
        import sqlite3

        return sqlite3.connect(uri.removeprefix("sqlite:///"))
    import psycopg2

    return psycopg2.connect(uri)


def main() -> None:
    """Everything is imported and opened before the clock starts."""
    what, uri = sys.argv[1:]
    work = {"select": select, "find": find, "client": client, "sql": sql}[what](uri)
    begun = time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"s": seconds, "mb": megabytes}))


if __name__ == "__main__":
    main()
