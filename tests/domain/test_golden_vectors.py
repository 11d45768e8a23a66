"""Changing any value here breaks every user's history: their runs would no longer be found by their keys."""

from __future__ import annotations

import numpy as np
import pytest

from studbook.domain.benchmark import BenchmarkConfig, Hardware, benchmark_key
from studbook.domain.canonical import canonical
from studbook.domain.data import DataSpec, EvalSpec, content_digest_of
from studbook.domain.folds import fold_digest, make_folds
from studbook.domain.keys import TrialKey
from studbook.domain.refit_protocol import RefitProtocol
from studbook.domain.run_identity import of_refit, of_trial
from studbook.domain.search_space import SearchSpace, choice, float_range
from studbook.domain.seeds import derive, fold_seed, rank_seed, refit_seed, sampler_seed, trial_seed
from studbook.domain.study import SeedPolicy, StudyDefinition, maximize
from studbook.domain.trial import fold_key, trial_key
from studbook.domain.validation import KFold

ARRAY_DIGEST = "sha256:b800d9c6a4dc9ea7acaa4772859957045c8250286983709f1b3f517fbb2d61b5"
FOLD_DIGEST = "sha256:20f5f4e46daae670c5ca157a56a1839ddd01f2f7b3658fa9390fc4eb30fb8e43"


@pytest.fixture
def study() -> StudyDefinition:
    return StudyDefinition(
        name="digits",
        model_family="svm",
        data=DataSpec.declared("digits", "1"),
        objectives=(maximize("macro_f1"),),
        validation=KFold(count=5),
        space=SearchSpace.parse({"C": float_range(0.001, 100, log=True), "kernel": choice("rbf", "linear")}),
        seed_policy=SeedPolicy.derived(7),
    )


@pytest.fixture
def trial(study: StudyDefinition) -> TrialKey:
    return trial_key(study.key, study.space.typed({"C": 1.0, "kernel": "rbf"}))


@pytest.fixture
def protocol(study: StudyDefinition) -> RefitProtocol:
    return RefitProtocol(data=study.data_key, eval=study.eval_key, seed_policy=study.seed_policy)


@pytest.fixture
def hardware() -> Hardware:
    return Hardware(kind="cpu", arch="x86_64", cpu="Example CPU", threads=4)


def test_data_and_evaluation() -> None:
    array = np.array([[1, 2], [3, 4]], dtype="<i8")
    assert content_digest_of(array) == ARRAY_DIGEST
    assert (
        DataSpec.declared("digits", "1").key
        == "df3:7b50b6f775fae4b2c12a00cbf6afe0ebe92afbf1f35574d0e8b84d9ca6653b1e"
    )
    assert (
        DataSpec.content(ARRAY_DIGEST).key
        == "df3:91b816da11189052bafe3b89a6e919dc24e750801da94c642312a9b9642c2e06"
    )
    assert EvalSpec().key == "ef3:dfdcd864772b2ab0793399c917038cdfc04899b52d28e660e1b229cc33b6eac8"


def test_study_family_and_trial(study: StudyDefinition, trial: TrialKey) -> None:
    assert study.key == "sk3:6c7106b82f3672f533b6d5995f81856fcc8de4284580e07b94fc30ca3b8d43a5"
    assert study.family_key == "sf3:3febe2c4c380453d0c9e3cbb93e8bad959a495ecfdce5addfec0afce5c310f36"
    assert trial == "tk3:a65d836319cadc478a13b104754064eefe4657919295fdcc849e15b38030bec7"


def test_bytes_hashed_for_the_trial(study: StudyDefinition) -> None:
    payload = {"study": study.key, "params": study.space.typed({"C": 1.0, "kernel": "rbf"})}
    assert canonical({"kind": "tk3", "payload": payload}).decode() == (
        '{"kind":"tk3","payload":{"params":{"C":1,"kernel":"rbf"},"study":"' + study.key + '"}}'
    )


def test_fold(trial: TrialKey) -> None:
    assert fold_digest([3, 0, 2], [1]) == FOLD_DIGEST
    assert (
        fold_key(trial, 0, FOLD_DIGEST)
        == "fk3:a0d8cb33c88269b9ee0c268709d8611af4c84ad8ad38ee2304d5b8be7ad61d1e"
    )


def test_made_folds() -> None:
    folds = make_folds(KFold(count=3), 7)
    assert [set(fold.validation) for fold in folds] == [{2, 4, 5}, {0, 3}, {1, 6}]
    assert folds[0].digest == "sha256:9eb4c023eec9ef931c24eb8524e41848e52aa37fe5fc9866022c8957c1d2c407"


def test_refit_protocol(protocol: RefitProtocol) -> None:
    assert protocol.key == "rp3:3b5e31802ca56902ca7513627f7c8dfef450b4b20f04deea5f45d4f162ff2543"


def test_runs(trial: TrialKey, protocol: RefitProtocol) -> None:
    assert (
        of_trial("demo", trial, 1).key
        == "rk3:a764af8dffe281d7f3900239b88120e7b2dc5092244802596bab42497a211c54"
    )
    assert (
        of_trial("demo", trial, 2).key
        == "rk3:6d910350433942ba2be0177b71d79694086464d3d33e17a4ea5b752d249b4377"
    )
    assert (
        of_refit("demo", trial, protocol.key, 1).key
        == "rk3:a0f1dafbbcc45ce4ea5ed85a4329d7c28031d166a623dcb1af3f27e9eb30465b"
    )


def test_benchmark(trial: TrialKey, protocol: RefitProtocol, hardware: Hardware) -> None:
    config = BenchmarkConfig(batch_sizes=(1, 8), warmup=10, iterations=100)
    refit_run = of_refit("demo", trial, protocol.key, 1).key
    assert hardware.key == "hw3:222e602304d41abd06de7b7bfaad2a468afac7836b261bb7442e6e82125295c8"
    assert config.key == "bc3:93fd6f2d0323447bfc8dcfb8082802276869669ba514e856b8dbd67b6f8ce1b9"
    assert (
        benchmark_key(refit_run, config, hardware)
        == "bk3:4faa679b5c7f5a103aaaaf8c7a8745fc87bdb23f225877a01480d448a7c1d95f"
    )


def test_seeds(study: StudyDefinition, trial: TrialKey) -> None:
    policy = study.seed_policy
    assert sampler_seed(policy, 0, 0) == 1354209198
    assert trial_seed(policy, trial) == 1962238096
    assert fold_seed(policy, trial, 0) == 505701998
    assert refit_seed(policy, trial) == 1884213404
    assert rank_seed(7, 3) == derive(7, "rank", 3) == 1209354515
