"""From nothing to a chosen model, with the facade: `python examples/first_sweep.py [tracking URI]`.

Needs scikit-learn. Without a tracking URI everything is kept in memory; with `sqlite:///mlflow.db` look at the
runs afterwards in `mlflow ui --backend-store-uri sqlite:///mlflow.db`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
from sklearn.datasets import load_iris
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from studbook import Studbook, choice, float_range, int_range, maximize

if TYPE_CHECKING:
    from studbook.application.train_context import TrainContext

X, y = load_iris(return_X_y=True)

FAMILIES: dict[str, tuple[type[Any], dict[str, object]]] = {
    "knn": (
        KNeighborsClassifier,
        {"n_neighbors": int_range(1, 30), "weights": choice("uniform", "distance")},
    ),
    "svm": (SVC, {"C": float_range(1e-2, 1e2, log=True), "gamma": float_range(1e-3, 1e1, log=True)}),
}


def trainer(estimator: type[Any]) -> Callable[[TrainContext], Mapping[str, float]]:
    """A training function: scores a fold on its split; without a fold, keeps a model of all rows."""

    def train(context: TrainContext) -> Mapping[str, float]:
        model = estimator(**context.params)
        if context.fold is None:
            model.fit(X, y)
            joblib.dump(model, context.output_dir / "model.joblib")
            return {}
        rows, held_out = list(context.fold.train), list(context.fold.validation)
        model.fit(X[rows], y[rows])
        return {"macro_f1": float(f1_score(y[held_out], model.predict(X[held_out]), average="macro"))}

    return train


def load(folder: Path) -> Any:
    """The model that `trainer` kept."""
    return joblib.load(folder / "model.joblib")


def main(tracking_uri: str = "memory://") -> None:
    """Sweep two families, choose the best model, and take its files home."""
    with Studbook.open(tracking_uri) as book:
        for family, (estimator, space) in FAMILIES.items():
            sweep = book.sweep(
                f"iris-{family}",
                trainer(estimator),
                space=space,
                objective=maximize("macro_f1"),
                folds=3,
                trials=8,
                data=(X, y),
                labels=list(y),
                family=family,
            )
            refit = sweep.refit()
            book.benchmark(refit, lambda model, rows: model.predict(rows), {1: X[:1]}, load=load)
            best = sweep.best
            print(
                f"{family}: best of {len(sweep.trials)} trials is number {best.number}, {dict(best.params)}"
            )

        decision = book.select("accuracy_latency")
        winner = decision.result.winner
        acquired = book.acquire(decision, "checkpoint")
        print(f"chosen: {winner.family}, macro-F1 {winner.metrics['objective']:.3f}")
        print(f"files:  {acquired.receipt.trust}, {acquired.manifest.content_digest}")
        print(f"model:  {load(acquired.path)}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
