"""What must be in a store when a process had these calls acknowledged, and was then killed."""

from __future__ import annotations

from faults.stored_state import RunState, State
from faults.workload import Call, content
from studbook.domain.run import RunStatus


def assert_stored(calls: list[Call], state: State) -> None:
    """Each call is stored once, and of what was not acknowledged at most the one call that was under way."""
    assert all(run.status.terminal for run in state.values())
    assert len(state.keys() - {call.run for call in calls}) <= 1
    for call in calls:
        _HELD[call.kind](call, state[call.run])
    ended = {call.run for call in calls if call.kind == "end"}
    ends = {_ended_with(key, state) for key, run in state.items() if run.end_reason != "lost"}
    assert len(ends - ended) <= 1
    assert all(run.status is RunStatus.KILLED for run in state.values() if run.end_reason == "lost")
    for kind, count in (("metric", _points), ("param", _params), ("artifact", _manifests)):
        stored = sum(count(run) for run in state.values())
        assert stored - sum(call.kind == kind for call in calls) in (0, 1)


def _ended_with(key: str, state: State) -> str:
    """The run whose end ended this one: itself, or one above it."""
    run = state[key]
    if run.end_reason == "parent_ended" and run.parent is not None:
        return _ended_with(run.parent, state)
    return key


def _metric(call: Call, run: RunState) -> None:
    assert [value for step, _, value in run.metrics[call.name] if step == call.step] == [call.value]


def _param(call: Call, run: RunState) -> None:
    stored = run.params[call.name]
    if stored != call.value:
        # Too long for the backend: its digest stands there, and the text in a file.
        assert str(call.value).encode() in run.files.values()


def _tag(call: Call, run: RunState) -> None:
    # The last value wins, and values count up.
    assert isinstance(call.value, str)
    assert int(run.tags[call.name]) >= int(call.value)


def _artifact(call: Call, run: RunState) -> None:
    paths = [path for path in run.files if path == call.name or path.startswith(f"{call.name}/")]
    assert len(paths) in (1, 2)
    for path in paths:
        assert run.files[path] == content(call.name, path.removeprefix(f"{call.name}/"))
    assert f"studbook/manifests/{call.name}.json" in run.files


def _opened(call: Call, run: RunState) -> None:
    assert (run.name, run.parent) == (call.name, call.value)


def _ended(call: Call, run: RunState) -> None:
    assert run.status is call.value


_HELD = {
    "metric": _metric,
    "param": _param,
    "tag": _tag,
    "artifact": _artifact,
    "open": _opened,
    "end": _ended,
}


def _points(run: RunState) -> int:
    return sum(len(points) for points in run.metrics.values())


def _params(run: RunState) -> int:
    return sum(name.startswith("param_") for name in run.params)


def _manifests(run: RunState) -> int:
    return sum(path.startswith("studbook/manifests/") for path in run.files)
