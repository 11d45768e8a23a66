"""Where each thing that goes wrong with other tools (M1 to M12) is shown not to go wrong with this one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

PROMISES = {
    "M1 eight processes begin together on a store that is not there": [
        "faults/test_first_start_together.py::test_all_log_their_run_and_plain_mlflow_finds_exactly_those",
    ],
    "M2 no lock is held while user code runs": [
        "application/test_sweep_session.py::test_workers_train_side_by_side",
    ],
    "M3 each trial has its own state and status, its sweep as parent, and its folds as children": [
        "end_to_end/test_demo.py::test_statuses_tell_what_became_of_each_trial",
        "end_to_end/test_demo.py::test_folds_are_children_of_trials_and_trials_of_sweeps",
    ],
    "M4 an event that is delivered three times is stored once": [
        "faults/test_redelivery.py::test_three_deliveries_of_every_event_are_as_one",
        "application/test_relay.py::test_a_second_relay_without_a_memory_changes_nothing",
    ],
    "M5 the runs of a killed or terminated process end as KILLED, with the reason": [
        "faults/test_killed_writer.py::test_what_a_killed_process_had_logged_is_stored_once_and_its_runs_are_lost",
        "faults/test_killed_writer.py::test_a_sweep_that_is_killed_in_a_fold_ends_innermost_first",
        "faults/test_script_endings.py::test_a_script_that_is_terminated_is_lost_to_its_sidecar",
        "end_to_end/test_reaping.py::test_the_runs_of_a_killed_process_end_as_lost_and_its_trial_has_failed",
    ],
    "M6 an exception that leaves the script ends its run as FAILED, and is named": [
        "faults/test_script_endings.py::test_a_script_that_leaves",
        "faults/test_script_endings.py::test_a_script_that_fails_is_told_of_by_its_sidecar",
    ],
    "M7 of 2,000 calls that returned before a SIGKILL, 2,000 are stored": [
        "faults/test_killed_writer.py::test_two_thousand_metrics_are_stored_though_the_process_is_killed_right_after_the_last",
    ],
    "M8 a download that is cut short is an error, leaves nothing, and can be repeated": [
        "faults/test_handing_over.py::test_a_model_that_does_not_arrive_as_it_was_is_refused_and_a_repetition_succeeds",
        "adapters/mlflow/test_served_artifact_faults.py::test_a_file_that_does_not_arrive_as_it_was_leaves_nothing_and_a_repetition_succeeds",
    ],
    "M9 an interrupted fetch needs no cleaning up, and a flipped byte is refused": [
        "faults/test_handing_over.py::test_a_process_that_is_killed_while_bytes_arrive_leaves_nothing_that_must_be_cleaned_up",
        "faults/test_handing_over.py::test_a_byte_that_was_flipped_in_the_store_is_refused",
    ],
    "M10 all of 1,020 trials, one study a study key, awkward names, and a failed flush that keeps its data": [
        "end_to_end/test_many_runs_and_odd_names.py::test_all_trials_of_a_long_study_read_back",
        "end_to_end/test_many_runs_and_odd_names.py::test_one_study_key_is_one_study_whatever_its_name",
        "end_to_end/test_many_runs_and_odd_names.py::test_names_params_and_tags_are_found_by_what_they_are",
        "faults/test_server_outages.py::test_a_server_that_stops_midway",
    ],
    "M11 long values, and the keys that are made of them, read back as they were": [
        "application/test_spill.py::test_a_long_value_comes_back_whole",
        "application/test_params_round_trip.py::test_any_params_keep_their_key",
    ],
    "M12 a SIGKILL right after the last call loses nothing": [
        "faults/test_killed_writer.py::test_two_thousand_metrics_are_stored_though_the_process_is_killed_right_after_the_last",
        "faults/test_killed_writer.py::test_what_a_killed_process_had_logged_is_stored_once_and_its_runs_are_lost",
    ],
}


@pytest.mark.parametrize("promise", PROMISES)
def test_what_shows_it_is_there(promise: str) -> None:
    for shown_by in PROMISES[promise]:
        file, _, name = shown_by.partition("::")
        body = ast.parse((TESTS / file).read_text(encoding="utf-8")).body
        assert name in [each.name for each in body if isinstance(each, ast.FunctionDef)], shown_by


def test_no_promise_is_forgotten() -> None:
    assert [promise.split()[0] for promise in PROMISES] == [f"M{number}" for number in range(1, 13)]
