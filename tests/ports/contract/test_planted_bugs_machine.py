"""Machines that break one promise each, and the tests of the contract that must notice."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from pydantic import JsonValue

from studbook.adapters.memory.machine import FixedMachine
from studbook.domain.benchmark import Hardware
from studbook.ports.contract.machine import MachineContract
from studbook.ports.contract.violations import violations


class IgnoresThreads(FixedMachine):
    def hardware(self, threads: int | None = None) -> Hardware:
        return super().hardware()


class NeverTheSame(FixedMachine):
    calls = count()

    def hardware(self, threads: int | None = None) -> Hardware:
        return super().hardware(threads).model_copy(update={"cpu": f"CPU at {next(self.calls)} MHz"})


class NamesNoProcessor(FixedMachine):
    def hardware(self, threads: int | None = None) -> Hardware:
        return super().hardware(threads).model_copy(update={"cpu": None})


class ClampsThreads(FixedMachine):
    def hardware(self, threads: int | None = None) -> Hardware:
        return super().hardware(None if threads is None else max(1, threads))


class FactsAreNoJson(FixedMachine):
    def facts(self) -> dict[str, JsonValue]:
        return {**super().facts(), "home": Path("/home")}  # type: ignore[dict-item]


class SharesItsFacts(FixedMachine):
    def facts(self) -> dict[str, JsonValue]:
        return self._facts


class OwnLabel(FixedMachine):
    def environment(self) -> str:
        return "my-laptop"


@pytest.mark.parametrize(
    ("broken", "noticed"),
    [
        (IgnoresThreads, "test_threads_that_are_said_count"),
        (NeverTheSame, "test_the_same_machine_is_the_same_hardware"),
        (NamesNoProcessor, "test_a_cpu_is_named_and_its_threads_are_counted"),
        (ClampsThreads, "test_no_thread_is_refused"),
        (FactsAreNoJson, "test_facts_are_json_and_name_the_os"),
        (SharesItsFacts, "test_facts_are_handed_out_as_a_copy"),
        (OwnLabel, "test_the_environment_is_a_known_label"),
    ],
)
def test_the_contract_notices(broken: type[FixedMachine], noticed: str) -> None:
    assert noticed in violations(MachineContract(), machine=broken)


def test_the_contract_has_nothing_against_a_right_machine() -> None:
    assert violations(MachineContract(), machine=FixedMachine) == set()
