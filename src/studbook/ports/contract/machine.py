"""What every Machine must do.

Subclass `MachineContract`, override the fixture `machine`, and let pytest collect it.
"""

from __future__ import annotations

import json

import pytest

from ...domain.errors import InvalidInput
from ..machine import Machine

ENVIRONMENTS = frozenset({"azureml", "kaggle", "colab", "slurm", "local"})


class MachineContract:
    """The promises of the port."""

    @pytest.fixture
    def machine(self) -> Machine:
        """The machine under test."""
        raise NotImplementedError

    def test_the_same_machine_is_the_same_hardware(self, machine: Machine) -> None:
        assert machine.hardware() == machine.hardware()
        assert machine.hardware().key == machine.hardware().key

    def test_a_cpu_is_named_and_its_threads_are_counted(self, machine: Machine) -> None:
        hardware = machine.hardware()
        assert hardware.arch
        if hardware.kind == "cpu":
            assert hardware.cpu
            assert hardware.threads is not None

    def test_threads_that_are_said_count(self, machine: Machine) -> None:
        if machine.hardware().kind == "cpu":
            assert [machine.hardware(threads).threads for threads in (1, 3)] == [1, 3]
            assert machine.hardware(1).key != machine.hardware(3).key
        else:
            assert machine.hardware(3) == machine.hardware()

    def test_threads_change_nothing_else(self, machine: Machine) -> None:
        one, three = machine.hardware(1).payload(), machine.hardware(3).payload()
        assert {**one, "threads": None} == {**three, "threads": None}

    def test_no_thread_is_refused(self, machine: Machine) -> None:
        for threads in (0, -1):
            if machine.hardware().kind == "cpu":
                with pytest.raises(InvalidInput):
                    machine.hardware(threads)

    def test_facts_are_json_and_name_the_os(self, machine: Machine) -> None:
        facts = machine.facts()
        assert json.loads(json.dumps(facts, allow_nan=False)) == facts
        assert facts["os"]

    def test_facts_are_handed_out_as_a_copy(self, machine: Machine) -> None:
        machine.facts()["os"] = None
        assert machine.facts()["os"]

    def test_the_environment_is_a_known_label(self, machine: Machine) -> None:
        assert machine.environment() in ENVIRONMENTS

    def test_a_job_is_transient(self, machine: Machine) -> None:
        assert machine.is_transient() in (True, False)
        if machine.environment() != "local":
            assert machine.is_transient()
