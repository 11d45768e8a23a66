"""Three model families that differ in accuracy and in speed, and how one of their points is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...application.train_context import TrainContext
from ...domain.search_space import choice, float_range, int_range
from .digits import Digits

MODEL_FILE = "model.joblib"


@dataclass(frozen=True, slots=True)
class Family:
    """A model family: its search space, and an estimator from params and seed."""

    name: str
    space: Mapping[str, object]
    build: Callable[[Mapping[str, Any], int | None], Any]


def _logistic_regression(params: Mapping[str, Any], seed: int | None) -> Any:
    """The `liblinear` solver knows two classes only: scikit-learn refuses such a point, and its trial fails."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = LogisticRegression(
        C=params["C"], solver=params["solver"], tol=params["tol"], max_iter=500, random_state=seed
    )
    return make_pipeline(StandardScaler(), model)


def _random_forest(params: Mapping[str, Any], seed: int | None) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        n_estimators=params["n_estimators"],
        max_depth=params["max_depth"],
        min_samples_leaf=params["min_samples_leaf"],
        random_state=seed,
    )


def _rbf_svm(params: Mapping[str, Any], seed: int | None) -> Any:
    from sklearn.svm import SVC

    return SVC(C=params["C"], gamma=params["gamma"], kernel="rbf", random_state=seed)


FAMILIES: tuple[Family, ...] = (
    Family(
        "logistic_regression",
        {
            "C": float_range(1e-4, 10.0, log=True),
            "solver": choice("lbfgs", "newton-cg", "liblinear"),
            "tol": float_range(1e-4, 1e-2, log=True),
        },
        _logistic_regression,
    ),
    Family(
        "random_forest",
        {
            "n_estimators": int_range(20, 120, step=20),
            "max_depth": int_range(3, 16),
            "min_samples_leaf": int_range(1, 8),
        },
        _random_forest,
    ),
    Family(
        "rbf_svm",
        {"C": float_range(1e-1, 1e2, log=True), "gamma": float_range(1e-5, 1e-1, log=True)},
        _rbf_svm,
    ),
)


def trainer(family: Family, digits: Digits) -> Callable[[TrainContext], Mapping[str, float]]:
    """The training function: on a fold, trains and validates on its split; else trains on all rows and keeps
    the model.
    """

    def train(context: TrainContext) -> Mapping[str, float]:
        import joblib
        from sklearn.metrics import accuracy_score, f1_score

        images, labels = digits.train_images, digits.train_labels
        model = family.build(context.params, context.seed)
        if context.fold is None:
            model.fit(images, labels)
            joblib.dump(model, context.output_dir / MODEL_FILE)
            return {}
        learned, held = list(context.fold.train), list(context.fold.validation)
        model.fit(images[learned], labels[learned])
        predicted = model.predict(images[held])
        return {
            "macro_f1": float(f1_score(labels[held], predicted, average="macro")),
            "accuracy": float(accuracy_score(labels[held], predicted)),
        }

    return train


def load_model(folder: Path) -> Any:
    """The estimator that `trainer` kept in a folder."""
    import joblib

    return joblib.load(folder / MODEL_FILE)


def held_out_score(model: Any, digits: Digits) -> float:
    """Macro-F1 on the held-out rows."""
    from sklearn.metrics import f1_score

    return float(f1_score(digits.test_labels, model.predict(digits.test_images), average="macro"))
