"""Every kind of key, and what each of its declared fields may be given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from studbook.domain.benchmark import BenchmarkConfig, Hardware, benchmark_key
from studbook.domain.conversion import ConversionSpec
from studbook.domain.data import DataSpec, EvalSpec
from studbook.domain.keys import Key, StudyKey, TrialKey
from studbook.domain.refit_protocol import RefitProtocol
from studbook.domain.run_identity import RunIdentity
from studbook.domain.stage import Stage
from studbook.domain.study import StudyDefinition
from studbook.domain.training import ExecSpec, TrainingSpec
from studbook.domain.trial import fold_key, trial_key

X: dict[str, Any] = {"type": "float", "low": 0, "high": 1}

_digest = st.text("0123456789abcdef", min_size=64, max_size=64)
_content = _digest.map("sha256:{}".format)
_word = st.text("abcxyz", min_size=1, max_size=6)
_numbers = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
_scalars = st.none() | st.booleans() | _numbers | st.text(max_size=6)
_free: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_mapping = st.dictionaries(st.text(max_size=4), _free, max_size=3)
_budget = st.fixed_dictionaries(
    {
        "unit": st.sampled_from(["epochs", "steps", "samples", "seconds", "fits"]),
        "amount": st.integers(1, 10**6) | st.floats(0.01, 1e6),
        "early_stopping": st.none() | _mapping,
    }
)
_seeds = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(["derived", "fixed"]), "base": st.integers(0, 2**31)}),
    st.just({"kind": "none"}),
)
_float_range = st.fixed_dictionaries(
    {
        "type": st.just("float"),
        "low": st.floats(1e-6, 1),
        "high": st.floats(1.5, 1e6),
        "log": st.booleans(),
    }
)
_int_range = st.fixed_dictionaries(
    {
        "type": st.just("int"),
        "low": st.integers(1, 10),
        "high": st.integers(20, 10**6),
        "step": st.integers(1, 5),
    }
)
_choices = st.lists(_scalars, min_size=1, max_size=4).map(
    lambda items: {"type": "categorical", "choices": items}
)
_space = st.dictionaries(_word, _float_range | _int_range | _choices, min_size=1, max_size=3)
_kfold = st.fixed_dictionaries(
    {
        "kind": st.just("kfold"),
        "count": st.integers(2, 9),
        "repeats": st.integers(1, 4),
        "stratify": st.booleans(),
        "seed": st.integers(0, 99),
    }
)
_holdout = st.fixed_dictionaries(
    {
        "kind": st.just("holdout"),
        "fraction": st.floats(0.01, 0.99),
        "stratify": st.booleans(),
        "seed": st.integers(0, 99),
    }
)
_explicit = st.lists(_content, min_size=1, max_size=3, unique=True).map(
    lambda digests: {"kind": "explicit", "digests": digests}
)
_given = st.none() | _content
_validation = _kfold | _holdout | _explicit | _given.map(lambda d: {"kind": "given", "digest": d})
_objectives = st.dictionaries(_word, st.sampled_from(["maximize", "minimize"]), min_size=1, max_size=3).map(
    lambda named: [list(pair) for pair in named.items()]
)
_algorithm = st.fixed_dictionaries({"algorithm": _word, "options": _mapping})
_run_key = _digest.map("rk3:{}".format)


@dataclass(frozen=True)
class Declaration:
    """A kind of key: how it is made, and what each of its declared fields may be given."""

    make: Callable[[dict[str, Any]], Key]
    fields: Mapping[str, st.SearchStrategy[Any]]


def _study(given: dict[str, Any]) -> StudyKey:
    return StudyDefinition.parse({"name": "n", **given}).key


DECLARATIONS: dict[str, Declaration] = {
    "df3 by content": Declaration(
        lambda given: DataSpec.parse({"mode": "content", **given}).key,
        {"digest": _content, "label_map": st.none() | _mapping, "split": st.none() | _mapping},
    ),
    "df3 by name": Declaration(
        lambda given: DataSpec.parse({"mode": "declared", **given}).key,
        {
            "name": _word,
            "version": _word,
            "schema": st.none() | _mapping,
            "label_map": st.none() | _mapping,
            "split": st.none() | _mapping,
        },
    ),
    "df3 undeclared": Declaration(
        lambda given: DataSpec.parse({"mode": "undeclared", **given}).key,
        {"label_map": st.none() | _mapping, "split": st.none() | _mapping},
    ),
    "ef3": Declaration(
        lambda given: EvalSpec.parse(given).key, {"name": _word, "version": _word, "options": _mapping}
    ),
    "sk3": Declaration(
        _study,
        {
            "data": _content.map(lambda digest: {"digest": digest}),
            "evaluation": st.fixed_dictionaries({"version": _word}),
            "objectives": _objectives,
            "fold_aggregate": st.sampled_from(["mean", "median", "worst"]),
            "validation": _validation,
            "search_space": _space | _word.map("dynamic:{}".format),
            "sampling": _algorithm,
            "budget": st.none() | _budget,
            "seed_policy": _seeds,
            "model_family": _word,
            "revision": st.none() | _word,
        },
    ),
    "sk3 that prunes": Declaration(
        lambda given: _study({"objectives": [["f1", "maximize"]], "search_space": {"x": X}, **given}),
        {"pruning": st.none() | _algorithm},
    ),
    "sf3": Declaration(
        lambda given: StudyDefinition.parse({"name": "n", "search_space": {"x": X}, **given}).family_key,
        {
            "data": _content.map(lambda digest: {"digest": digest}),
            "evaluation": st.fixed_dictionaries({"version": _word}),
            "objectives": _objectives,
            "fold_aggregate": st.sampled_from(["mean", "median", "worst"]),
            "validation": _validation,
        },
    ),
    "tk3": Declaration(
        lambda given: trial_key(StudyKey(given["study"]), given["params"]),
        {"study": _digest.map("sk3:{}".format), "params": _mapping},
    ),
    "fk3": Declaration(
        lambda given: fold_key(TrialKey(given["trial"]), given["index"], given["digest"]),
        {"trial": _digest.map("tk3:{}".format), "index": st.integers(0, 99), "digest": st.none() | _content},
    ),
    "rp3": Declaration(
        lambda given: RefitProtocol.parse(given).key,
        {
            "data": _digest.map("df3:{}".format),
            "eval": _digest.map("ef3:{}".format),
            "validation": _holdout,
            "budget": st.none() | _budget,
            "budget_rule": st.sampled_from(["declared", "median_best_step"]),
            "checkpoint": st.sampled_from(["last", "best"]),
            "seed_policy": _seeds,
        },
    ),
    "hw3 of a cpu": Declaration(
        lambda given: Hardware.parse({"kind": "cpu", **given}).key,
        {"arch": _word, "cpu": st.none() | _word, "threads": st.none() | st.integers(1, 256)},
    ),
    "hw3 of an accelerator": Declaration(
        lambda given: Hardware.parse(given).key,
        {
            "kind": st.sampled_from(["cuda", "rocm", "mps", "xpu", "tpu", "other"]),
            "accelerator": st.none() | _word,
            "accelerators": st.integers(1, 8),
            "arch": _word,
        },
    ),
    "bc3": Declaration(
        lambda given: BenchmarkConfig.parse(given).key,
        {
            "batch_sizes": st.lists(st.integers(1, 512), min_size=1, max_size=4, unique=True).map(sorted),
            "warmup": st.integers(0, 99),
            "iterations": st.integers(1, 999),
            "input": st.none() | _content,
            "sequence_length": st.none() | st.integers(1, 4096),
            "precision": st.none() | _word,
            "runtime": st.none() | st.fixed_dictionaries({"name": _word, "version": _word}),
            "options": _mapping,
        },
    ),
    "bk3": Declaration(
        lambda given: benchmark_key(
            given["subject"],
            BenchmarkConfig(iterations=given["config"]),
            Hardware(kind="cpu", arch=given["hardware"]),
        ),
        {"subject": _run_key | _content, "config": st.integers(1, 99), "hardware": _word},
    ),
    "sp3": Declaration(
        lambda given: TrainingSpec.parse(given).key,
        {
            "model_family": _word,
            "params": st.dictionaries(_word, _free, max_size=3),
            "data": _digest.map("df3:{}".format),
            "eval": _digest.map("ef3:{}".format),
            "validation": st.none() | _holdout | _given.map(lambda d: {"kind": "given", "digest": d}),
            "budget": st.none() | _budget,
            "seed": st.none() | st.integers(0, 2**31),
            "init": st.one_of(
                st.just({"kind": "scratch"}),
                _content.map(lambda digest: {"kind": "external", "from": digest}),
                st.tuples(st.sampled_from(["refit", "final_training"]), _run_key).map(
                    lambda pair: {"kind": pair[0], "from": pair[1]}
                ),
            ),
        },
    ),
    "xp3": Declaration(
        lambda given: ExecSpec.parse(given).key,
        {
            "code": st.one_of(
                st.none(),
                st.fixed_dictionaries({"revision": _word}),
                st.fixed_dictionaries({"revision": _word, "dirty": st.just(True), "diff": _content}),
            ),
            "python": st.sampled_from(["3.11", "3.12", "3.13"]),
            "packages": st.none() | _content,
            "precision": st.none() | _word,
            "deterministic": st.none() | st.booleans(),
            "device": st.sampled_from(["cpu", "cuda", "rocm", "mps", "xpu", "tpu", "other"]),
        },
    ),
    "cv3": Declaration(
        lambda given: ConversionSpec.parse(given).key,
        {
            "source": _content,
            "format": _word,
            "options": _mapping,
            "tool": st.none() | st.fixed_dictionaries({"name": _word, "version": _word}),
        },
    ),
    "rk3": Declaration(
        lambda given: RunIdentity.parse(given).key,
        {
            "project": _word,
            "stage": st.sampled_from(list(Stage)),
            "subject": st.dictionaries(_word, _free, min_size=1, max_size=3),
            "attempt": st.integers(1, 10**6),
        },
    ),
}

PAYLOADS = {
    "df3": {"mode", "digest", "name", "version", "schema", "label_map", "split"},
    "ef3": {"name", "version", "options"},
    "sk3": {
        "data", "eval", "objectives", "fold_aggregate", "validation", "search_space", "sampling", "pruning",
        "budget", "seed_policy", "model_family", "revision",
    },
    "sf3": {"data", "eval", "objectives", "fold_aggregate", "validation"},
    "tk3": {"study", "params"},
    "fk3": {"trial", "index", "digest"},
    "rp3": {"data", "eval", "validation", "budget", "budget_rule", "checkpoint", "seed_policy"},
    "hw3": {"kind", "accelerator", "accelerators", "arch", "cpu", "threads"},
    "bc3": {
        "batch_sizes", "warmup", "iterations", "input", "sequence_length", "precision", "runtime", "options",
    },
    "bk3": {"subject", "config", "hardware"},
    "sp3": {"model_family", "params", "data", "eval", "validation", "budget", "seed", "init"},
    "xp3": {"code", "python", "packages", "precision", "deterministic", "device"},
    "cv3": {"source", "format", "options", "tool"},
    "rk3": {"project", "stage", "subject", "attempt"},
}  # fmt: skip
"""The payloads of the specification."""
