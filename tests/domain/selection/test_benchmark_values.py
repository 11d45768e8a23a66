"""One comparable value for each candidate."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from studbook.domain.errors import BenchmarksNotComparable
from studbook.domain.run import RunStatus
from studbook.domain.run_view import KeySchema
from studbook.domain.selection.environment import batch_sizes, environment_of, fingerprint
from studbook.domain.selection.rejection import RejectionReason as R
from studbook.domain.selection.sections import EnvironmentField
from studbook.domain.selection.warning import WarningCode

FASTEST = [{"step": "lexicographic", "metrics": ["latency"]}]


def reasons(result: Any) -> dict[str, R]:
    return {found.ref: found.reason for found in result.rejected}


@pytest.mark.parametrize(("aggregate", "value"), [("latest", 30.0), ("median", 20.0), ("mean", 25.0)])
def test_runs_of_one_key_become_one_value(make: Any, choose: Any, aggregate: str, value: float) -> None:
    runs = [
        *make.candidate("a", 0.5),
        *(
            make.benchmark("a", ms, ref=f"bench-{i}", benchmark_key="bk3:k", started_at=i)
            for i, ms in enumerate((40.0, 10.0, 10.0 + 2 * 5, 30.0), start=1)
        ),
    ]
    runs = [
        replace(run, metrics={"latency_batch_1_ms": 10.0}) if run.ref == "bench-3" else run for run in runs
    ]
    runs = [*runs, make.benchmark("a", math.nan, ref="nan", benchmark_key="bk3:k", started_at=9)]
    result = choose(runs, FASTEST, benchmark={"aggregate": aggregate})
    assert result.winner.metrics["latency"] == (22.5 if aggregate == "mean" else value)
    assert reasons(result)["nan"] is R.METRIC_NOT_FINITE
    spread = math.sqrt(sum((v - 22.5) ** 2 for v in (40, 10, 10, 30)) / 3)
    assert result.ranking[0].se["latency"] == pytest.approx(spread / 2)


def test_one_run_has_its_recorded_noise(make: Any, choose: Any) -> None:
    metrics = {"latency_batch_1_ms": 12.0, "latency_batch_1_std_ms": 2.0}
    bench = make.benchmark("a", 0, metrics=metrics, params={"benchmark_iterations": "100"})
    result = choose([*make.candidate("a", 0.5), bench], FASTEST)
    assert result.ranking[0].se == {"latency": 0.2}


def test_the_newest_key_counts_never_the_best(make: Any, choose: Any) -> None:
    runs = [
        *make.candidate("a", 0.5),
        make.benchmark("a", 1.0, ref="old", benchmark_key="bk3:old", started_at=1),
        make.benchmark("a", 9.0, ref="new", benchmark_key="bk3:new", started_at=2),
    ]
    assert choose(runs, FASTEST).winner.metrics["latency"] == 9.0
    assert choose(runs, FASTEST, benchmark={"key": "bk3:old"}).winner.metrics["latency"] == 1.0


def test_a_benchmark_of_another_run_is_not_the_candidates(make: Any, choose: Any) -> None:
    runs = [
        *make.candidate("a", 0.5, 5),
        *make.candidate("b", 0.6),
        make.benchmark("b", 1, subject="trial-b"),
        *make.candidate("c", 0.6),
        make.benchmark("c", 1, status=RunStatus.RUNNING),
    ]
    result = choose(runs, FASTEST)
    assert result.winner.trial == "trial-a"
    assert reasons(result) == {"trial-b": R.BENCHMARK_OTHER_SUBJECT}
    assert result.inputs.screened.reasons[R.BENCHMARK_MISSING].listed == ("trial-c",)
    served = choose(runs[3:6], FASTEST, refit={"requirement": "trial"})
    assert served.winner.artifact_run == "trial-b"


@pytest.mark.parametrize(("ms", "reason"), [(0.0, R.METRIC_OUT_OF_RANGE), (-1.0, R.METRIC_OUT_OF_RANGE)])
def test_a_latency_must_be_above_zero(make: Any, choose: Any, ms: float, reason: R) -> None:
    result = choose([*make.candidate("a", 0.5, 5), *make.candidate("b", 0.6, ms)], FASTEST)
    assert reasons(result) == {"bench-b": reason, "trial-b": R.BENCHMARK_MISSING}


def other_machine(make: Any, name: str, ms: float, **fields: Any) -> Any:
    environment = {**make.benchmark(name, ms).environment, "hardware": "other"}
    return make.benchmark(name, ms, ref=f"other-{name}", environment=environment, **fields)


def test_machines_are_not_mixed(make: Any, choose: Any) -> None:
    a, b, c = make.candidate("a", 0.5, 9), make.candidate("b", 0.6, 8), make.candidate("c", 0.4)
    runs = [*a, *b, *c, other_machine(make, "c", 1)]
    with pytest.raises(BenchmarksNotComparable, match="trial-c") as caught:
        choose(runs, FASTEST)
    table = caught.value.details["table"]
    assert set(table) == {"trial-a", "trial-b", "trial-c"}  # type: ignore[call-overload]
    largest = choose(runs, FASTEST, benchmark={"on_incomparable": "largest"})
    assert largest.winner.trial == "trial-b"
    assert reasons(largest) == {"trial-c": R.BENCHMARK_NOT_COMPARABLE}
    loose = choose(runs, FASTEST, benchmark={"comparable_on": ["device"]})
    assert loose.winner.trial == "trial-c"


def test_among_complete_environments_the_newest_counts_or_the_configured_one(make: Any, choose: Any) -> None:
    runs = [
        *make.candidate("a", 0.5, 2),
        *make.candidate("b", 0.6, 1),
        other_machine(make, "a", 1, started_at=5_000),
        other_machine(make, "b", 2),
    ]
    assert choose(runs, FASTEST).winner.trial == "trial-a"
    fields = list(EnvironmentField)[:6]
    home = fingerprint(environment_of(make.benchmark("a", 1), fields, "1"))
    assert choose(runs, FASTEST, benchmark={"environment": home}).winner.trial == "trial-b"


def test_unknown_environment_fields_are_a_warning(make: Any, choose: Any) -> None:
    bench = make.benchmark("a", 2, environment={"hardware": "hw"}, params={"benchmark_device": "auto"})
    result = choose([*make.candidate("a", 0.5), bench], FASTEST)
    (warning,) = (w for w in result.warnings if w.code is WarningCode.ENVIRONMENT_UNKNOWN)
    assert warning.detail.endswith("data_fp, device, precision, sequence_length")
    assert result.environment["batch_size"] == "1"


@pytest.mark.parametrize(
    ("fields", "assumed"),
    [
        ({"benchmark_key": "id-refit-a:config:fp"}, False),
        ({"benchmark_key": None, "lineage": {"refit": "id-refit-a"}}, False),
        ({"benchmark_key": None}, True),
    ],
)
def test_the_subject_of_a_legacy_benchmark(
    make: Any, choose: Any, fields: dict[str, Any], assumed: bool
) -> None:
    legacy = {"key_schema": KeySchema.V2}
    bench = make.benchmark("a", 3, subject=None, **{**legacy, **fields})
    result = choose([make.trial("a", 0.5, **legacy), make.refit("a", **legacy), bench], FASTEST)
    assert result.winner.metrics["latency"] == 3
    assert (WarningCode.SUBJECT_ASSUMED in {w.code for w in result.warnings}) is assumed


def test_batch_sizes_come_from_the_metric_names() -> None:
    assert batch_sizes(["latency_batch_8_p95_ms", "latency_batch_1_ms"]) == "1,8"
    assert batch_sizes(["throughput_samples_per_sec"]) == "unknown"
