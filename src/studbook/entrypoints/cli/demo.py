"""`studbook demo`: a model's whole life on handwritten digits."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .command_line import CommandLine
from .lineage import tree_text
from .output import Link, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.padding import Padding
    from rich.text import Text

    from ..demo.story import Demo
    from ..studbook import Studbook


def demo(
    cli: CommandLine,
    *,
    trials: Annotated[int, typer.Option(min=4, help="Trials a model family.")] = 12,
    seed: Annotated[int, typer.Option(help="Seed of samplers and trainings.")] = 0,
    to: Annotated[Path, typer.Option(help="Where the chosen checkpoint goes.")] = Path("best-model"),
) -> None:
    """Live through a model's whole life on scikit-learn's handwritten digits.

    Three model families are swept, refitted and benchmarked; the best by macro-F1 and latency is chosen, its
    files are handed over, and it is trained for use. A second run recognises what exists.
    """
    from ..demo.story import run_demo
    from .progress import ProgressView

    with cli.open_book(long=True) as book:
        with ProgressView(book):
            done = run_demo(book, to, trials=trials, seed=seed)
        document = _document(book, done)
        cli.output.show(document, lambda: _page(done, document))


def _document(book: Studbook, done: Demo) -> dict[str, Any]:
    catalog = book.container.catalog()
    winner = done.decision.result.winner
    selection = book.find(done.decision.ref)
    sweeps = {life.family: catalog.by_ref(life.sweep.run_key) for life in done.families}
    return {
        "selection": {
            "ref": done.decision.ref,
            "run_id": selection.run_id,
            "url": selection.url,
            "reused": done.decision.reused,
            "policy": done.decision.result.policy,
            "winner": {
                "family": winner.family,
                "trial": winner.trial,
                "refit": winner.refit,
                "metrics": winner.metrics,
            },
            "ranking": [
                {"rank": c.rank, "family": c.family, "ref": c.ref, "score": c.score, "values": c.values}
                for c in done.decision.result.ranking
            ],
            "margin": done.decision.result.margin,
        },
        "families": [
            {
                "family": life.family,
                "sweep": life.sweep.run_key,
                "sweep_run_id": sweeps[life.family].run_id,
                "sweep_url": sweeps[life.family].url,
                "trials": life.sweep.result.counts(),
                "refit": life.refit.refit,
                "benchmark": life.benchmark.ref,
                "benchmark_run_id": life.benchmark.run_id,
                "benchmark_url": life.benchmark.url,
            }
            for life in done.families
        ],
        "champions": [
            {"family": champion.family, "trial": champion.trial, "value": champion.value}
            for champion in done.champions.champions
        ],
        "checkpoint": {
            "path": done.acquired.path,
            "content_digest": done.acquired.manifest.content_digest,
            "trust": done.acquired.receipt.trust,
            "source": done.acquired.receipt.source,
        },
        "test_macro_f1": done.test_macro_f1,
        "final_training": {
            "ref": done.final.ref,
            "run_id": done.final.run_id,
            "url": done.final.url,
            "name": done.final.name,
        },
        "tracking_uri": book.settings.target.display,
        "home": book.home,
        "seconds": round(done.seconds, 3),
    }


def _page(done: Demo, document: dict[str, Any]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from ...domain.selection.explain import explain_winner

    result = done.decision.result
    measured = {life.family: life.benchmark.metrics for life in done.families}
    rows = [
        [
            contender.rank,
            contender.family,
            f"{contender.values['objective']:.4f}",
            f"{contender.values['latency']:.3f}",
            f"{measured[contender.family]['latency_batch_1_p95_ms']:.3f}",
            "-" if contender.score is None else f"{contender.score:.4f}",
        ]
        for contender in result.ranking
    ]
    sweeps = zip(done.families, (each["sweep_url"] for each in document["families"]), strict=True)
    counts = [[Link(life.family, url), *life.sweep.result.counts().values()] for life, url in sweeps]
    return Group(
        _heading("Sweeps: 3 folds a trial"),
        table(["family", "trials", "complete", "pruned", "failed", "duplicate"], counts),
        _heading("Candidates: the best trial of each family, refitted; one image at a time"),
        table(["rank", "family", "macro-F1", "latency (ms)", "p95 (ms)", "score"], rows),
        _heading("Why"),
        *(_indented(line) for line in explain_winner(result)),
        _heading("Files"),
        _indented(
            f"{done.acquired.path}: {done.acquired.receipt.trust}, from {done.acquired.receipt.source}"
        ),
        _indented(f"macro-F1 on the held-out test images: {done.test_macro_f1:.4f}"),
        _heading("Lineage"),
        _indented(tree_text(done.lineage)),
        _heading("Next"),
        *(_indented(line) for line in _next_commands(done, document)),
        Text(f"\nThis took {done.seconds:.1f} s.", style="dim"),
    )


def _heading(text: str) -> Text:
    from rich.text import Text

    return Text(f"\n{text}", style="bold")


def _indented(line: str | Text) -> Padding:
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(line) if isinstance(line, str) else line, (0, 0, 0, 2), expand=False)


def _next_commands(done: Demo, document: dict[str, Any]) -> list[str]:
    studbook, mlflow = _program("studbook"), _program("mlflow")
    uri = str(document["tracking_uri"])
    here = Path.cwd()
    if uri.startswith(f"sqlite:///{here}/"):
        uri = uri.replace(f"{here}/", "", 1)
    if uri.startswith("memory:"):
        return [f"{studbook} demo          # the same, kept in ./mlflow.db"]
    final = done.final.ref[:16]
    page = done.final.url
    return [
        f"cd {shlex.quote(str(here))}",
        f"{studbook} runs --stage hpo_trial --status FAILED",
        f"{studbook} select --policy best_metric",
        f"{studbook} lineage {final}",
        f"{studbook} acquire {final} --kind model --to final-model",
        f"{mlflow} ui --backend-store-uri {uri}" if page is None else page,
    ]


def _program(name: str) -> str:
    """How to call a program from here: by its name, or beside this Python when it is not on the path."""
    if shutil.which(name) is not None:
        return name
    beside = Path(sys.executable).with_name(name)
    relative = os.path.relpath(beside)
    return relative if len(relative) < len(str(beside)) else str(beside)
