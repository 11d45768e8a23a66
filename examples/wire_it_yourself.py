"""The parts without the facade: `python examples/wire_it_yourself.py [tracking URI]`.

Wires the container, puts an executor of its own in the place of the shipped one, and calls the use cases
RunSweep, RefitTrial, BenchmarkModel and SelectModel. Needs nothing but studbook.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from dependency_injector import providers

from studbook.application.benchmark import BenchmarkRequest
from studbook.application.refit import RefitRequest
from studbook.application.sweep_session import SweepRequest
from studbook.config.container import Container
from studbook.config.settings import load_settings
from studbook.domain.data import DataSpec
from studbook.domain.refit_protocol import RefitProtocol
from studbook.domain.search_space import SearchSpace, float_range
from studbook.domain.study import Sampling, StudyDefinition, minimize

if TYPE_CHECKING:
    from studbook.application.train_context import TrainContext
    from studbook.ports.trial_executor import Task

POINTS = [(x / 10, 0.3 * x / 10 + 0.1) for x in range(20)]


class Announced:
    """An executor of one's own: one task after the other, each announced."""

    def run(self, next_task: Callable[[], Task | None], workers: int) -> None:
        """Run until there is no task left; `workers` is not asked for."""
        del workers
        number = 0
        while (task := next_task()) is not None:
            print(f"trial {number}")
            task()
            number += 1


def train(context: TrainContext) -> Mapping[str, float]:
    """The error of a line through the points; the file holds its two numbers.

    What a trial writes is thrown away; what the refit writes is its checkpoint.
    """
    slope, offset = context.params["slope"], context.params["offset"]
    assert isinstance(slope, float)
    assert isinstance(offset, float)
    header = json.dumps({"__metadata__": {"slope": str(slope), "offset": str(offset)}}).encode()
    weights = len(header).to_bytes(8, "little") + header
    (context.output_dir / "line.safetensors").write_bytes(weights)
    return {"error": sum((slope * x + offset - y) ** 2 for x, y in POINTS)}


def predict(x: float) -> float:
    """What is measured."""
    return 0.3 * x + 0.1


def main(tracking_uri: str = "memory://") -> None:
    """Sweep, refit, measure, decide."""
    container = Container(
        loaded=load_settings(overrides={"tracking.uri": tracking_uri}), version=version("studbook")
    )
    container.executor.override(providers.Object(Announced()))

    study = StudyDefinition(
        name="line",
        data=DataSpec.declared("points", "1"),
        objectives=(minimize("error"),),
        space=SearchSpace.parse({"slope": float_range(0.0, 1.0), "offset": float_range(0.0, 1.0)}),
        sampling=Sampling(algorithm="random"),
    )
    swept = container.sweep()(SweepRequest(study=study, train=train, trials=5))
    print(f"sweep {swept.outcome or 'found'}: {swept.counts()}")

    protocol = RefitProtocol(data=study.data_key, eval=study.eval_key, seed_policy=study.seed_policy)
    mapping = container.refit()(RefitRequest(study, swept.best, train, protocol))
    assert mapping.refit is not None
    subject = container.catalog().by_ref(mapping.refit)
    container.benchmark()(BenchmarkRequest(subject, predict, {1: 0.5}, iterations=20))

    decision = container.select()({"policy": "accuracy_latency"})
    print(decision)

    container.delivery().leave(10.0)
    container.keepalive().close()
    container.bus().close()
    container.event_log().close()
    container.tracking_store().close()
    container.artifact_store().close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
