from __future__ import annotations

import subprocess
import sys
import traceback
from collections import defaultdict
from pathlib import Path

import optuna
import pytest

from studbook.adapters.optuna.sampler import OptunaSampler
from studbook.domain.errors import StudyInvalid, SweepError
from studbook.domain.search_space import SearchSpace, choice, int_range
from studbook.ports.contract.sampler import NewSampler, SamplerContract, study
from studbook.ports.sampler import TrialState


class TestOptunaInMemory(SamplerContract):
    @pytest.fixture
    def new_sampler(self) -> NewSampler:
        places: dict[str, OptunaSampler] = defaultdict(lambda: OptunaSampler(lambda _: None))
        return places.__getitem__


class TestOptunaOnSqlite(SamplerContract):
    share_of_examples = 0.1

    @pytest.fixture
    def new_sampler(self, tmp_path: Path) -> NewSampler:
        return lambda place: OptunaSampler(
            lambda study: f"sqlite:///{tmp_path}/studies/{place}/{study.key.folder}/optuna.db"
        )


def on_sqlite(path: Path) -> OptunaSampler:
    return OptunaSampler(lambda _: f"sqlite:///{path}")


def test_optunas_own_tools_find_the_study_and_its_attributes(tmp_path: Path) -> None:
    definition = study()
    opened = on_sqlite(tmp_path / "optuna.db").open(definition, 1)
    opened.ask()
    opened.complete(0, [0.5], {"trial_key": "tk3:x"})
    opened.close()
    found = optuna.load_study(study_name=definition.key, storage=f"sqlite:///{tmp_path}/optuna.db")
    assert found.trials[0].user_attrs == {"studbook.trial_key": "tk3:x"}
    assert found.best_value == 0.5


def test_user_attributes_of_others_are_left_out(tmp_path: Path) -> None:
    definition = study()
    opened = on_sqlite(tmp_path / "optuna.db").open(definition, 1)
    opened.ask()
    other = optuna.load_study(study_name=definition.key, storage=f"sqlite:///{tmp_path}/optuna.db")
    other.enqueue_trial({"depth": 4})
    other.tell(0, 0.5)
    assert [(trial.number, trial.attributes) for trial in opened.trials()] == [(0, {})]


def test_a_grid_point_that_a_killed_process_enqueued_is_asked_next(tmp_path: Path) -> None:
    space = SearchSpace.parse({"a": int_range(1, 2), "b": choice([1], [2])})
    definition = study(space, sampling={"algorithm": "grid"})
    opened = on_sqlite(tmp_path / "optuna.db").open(definition, 1)
    killed = optuna.load_study(study_name=definition.key, storage=f"sqlite:///{tmp_path}/optuna.db")
    killed.enqueue_trial({"a": 2, "b": "json:[1]"})
    points = [proposal.params for proposal in iter(opened.ask, None)]
    assert points[0] == {"a": 2, "b": [1]}
    assert len(points) == len({repr(point) for point in points}) == 4


def test_a_grid_point_whose_ask_was_killed_is_proposed_again(tmp_path: Path) -> None:
    definition = study(SearchSpace.parse({"a": int_range(1, 3)}), sampling={"algorithm": "grid"})
    opened = on_sqlite(tmp_path / "optuna.db").open(definition, 1)
    optuna.load_study(study_name=definition.key, storage=f"sqlite:///{tmp_path}/optuna.db").ask()
    opened.fail(0, {"reason": "lost"})
    assert sorted(str(proposal.params["a"]) for proposal in iter(opened.ask, None)) == ["1", "2", "3"]


def test_points_that_another_process_ended_are_known(tmp_path: Path) -> None:
    here = on_sqlite(tmp_path / "optuna.db").open(study(), 1)
    here.ask()
    there = on_sqlite(tmp_path / "optuna.db").open(study(), 2)
    there.fail(0, {"reason": "lost"})
    here.fail(0, {})
    with pytest.raises(SweepError):
        here.complete(0, [0.5], {})
    assert here.trials()[0].state is TrialState.FAILED


def test_an_end_that_was_stored_survives_without_closing(tmp_path: Path) -> None:
    opened = on_sqlite(tmp_path / "optuna.db").open(study(), 1)
    opened.ask()
    opened.complete(0, [0.5], {})
    assert on_sqlite(tmp_path / "optuna.db").open(study(), 2).trials() == opened.trials()


@pytest.mark.parametrize(
    "url",
    [
        "no url at all user:hunter2@host",
        "oracle9://user:hunter2@host/db",
        "mysql+nodriver://user:hunter2@host/db",
        "oracle+cx_oracle://user:hunter2@host/db",
    ],
)
def test_a_url_that_can_never_work_is_invalid_and_keeps_its_secret(url: str) -> None:
    with pytest.raises(StudyInvalid) as caught:
        OptunaSampler(lambda _: url).open(study(), 1)
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown
    assert caught.value.cure


def test_a_storage_that_cannot_be_made_is_a_sweep_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SweepError) as caught:
        on_sqlite(tmp_path / "file" / "optuna.db").open(study(), 1)
    assert "start the sweep again" in caught.value.cure


def test_a_file_that_is_no_database_is_a_sweep_error(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_bytes(b"no database, but long enough to look at" * 50)
    with pytest.raises(SweepError):
        on_sqlite(tmp_path / "optuna.db").open(study(), 1)


def test_a_storage_that_goes_away_is_a_sweep_error(tmp_path: Path) -> None:
    opened = on_sqlite(tmp_path / "optuna.db").open(study(), 1)
    opened.ask()
    opened.close()
    (tmp_path / "optuna.db").write_bytes(b"no database, but long enough to look at" * 50)
    with pytest.raises(SweepError):
        opened.ask()


def test_a_level_that_the_user_set_is_left_alone() -> None:
    before = optuna.logging.get_verbosity()
    try:
        for chosen in (optuna.logging.DEBUG, optuna.logging.ERROR):
            optuna.logging.set_verbosity(chosen)
            OptunaSampler(lambda _: None).open(study(), 1)
            assert optuna.logging.get_verbosity() == chosen
    finally:
        optuna.logging.set_verbosity(before)


def test_optuna_is_imported_only_to_open_a_study_and_says_nothing(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from studbook.adapters.optuna.sampler import OptunaSampler\n"
        "from studbook.ports.contract.sampler import study\n"
        f"sampler = OptunaSampler(lambda _: 'sqlite:///{tmp_path}/optuna.db')\n"
        "assert 'optuna' not in sys.modules and 'sqlalchemy' not in sys.modules\n"
        "opened = sampler.open(study(), 1)\n"
        "opened.ask(); opened.fail(0, {}); opened.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
