"""Pushing a query down loses nothing: what MLflow's filter lets through, checked again, is what matches."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from studbook.adapters.mlflow.entities import PARENT_TAG, param_entities, tag_entities, view_code
from studbook.adapters.mlflow.paging import Page, page_through
from studbook.adapters.mlflow.query_translation import (
    cannot_match,
    from_start_time,
    order_by,
    pushed_filter,
)
from studbook.domain.run import RunStatus
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.ports.run_query import ANY_STATUS, Order, RunQuery

EXPERIMENT = "e"
KEYS = ("t", "a.b", "from", "a.in.b", "1", "1e5", "a..b", ".", "a-b", "a b", "a/b", "ü")
VALUES = (
    "",
    "v",
    "V",
    "it's",
    'say "so"',
    """'both" """,
    "a\\",
    "\\'",
    "100%",
    "a\nb",
    "' OR '1'='1",
    "漢",
    "`",
)
keys = st.sampled_from(KEYS)
values = st.sampled_from(VALUES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
texts = st.dictionaries(keys, values, max_size=3)
statuses = st.sampled_from(RunStatus)
runs = st.builds(
    StoredRun,
    run_id=st.text("0123456789abcdef", min_size=4, max_size=4),
    experiment=st.just(EXPERIMENT),
    name=st.just("n"),
    status=statuses,
    lifecycle=st.sampled_from(Lifecycle),
    started_at_ms=st.integers(1, 9),
    ended_at_ms=st.none(),
    parent_id=st.none() | values,
    tags=texts,
    params=texts,
    metrics=st.dictionaries(st.sampled_from(("m", "n")), st.floats()),
)
queries = st.builds(
    RunQuery,
    st.just((EXPERIMENT,)),
    st.frozensets(statuses),
    tags=texts,
    tag_in=st.dictionaries(keys, st.frozensets(values, max_size=2), max_size=1),
    params=texts,
    has_metrics=st.frozensets(st.sampled_from(("m", "n")), max_size=1),
    parent_id=st.none() | values,
    lifecycles=st.frozensets(st.sampled_from(Lifecycle)),
    order=st.sampled_from(Order),
)


def passed(filter_text: str, candidates: Sequence[StoredRun]) -> list[StoredRun]:
    """What MLflow's own evaluation of its filter language lets through."""
    from mlflow.entities import Run, RunData, RunInfo
    from mlflow.utils.search_utils import SearchUtils

    entities = []
    for i, run in enumerate(candidates):
        info = RunInfo(  # type: ignore[no-untyped-call]
            str(i), "0", "u", str(run.status), run.started_at_ms, None, run.lifecycle
        )
        parent = {} if run.parent_id is None else {PARENT_TAG: run.parent_id}
        data = RunData(  # type: ignore[no-untyped-call]
            params=param_entities(run.params), tags=tag_entities({**run.tags, **parent})
        )
        entities.append(Run(info, data))
    through = SearchUtils.filter(entities, filter_text)  # type: ignore[no-untyped-call]
    return [candidates[int(run.info.run_id)] for run in through]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[StoredRun], RunQuery]:
    """Runs, and a question: any, or one that some run answers."""
    candidates = draw(st.lists(runs, max_size=6))
    if not candidates or not draw(st.booleans()):
        return candidates, draw(queries)
    wanted = draw(st.sampled_from(candidates))
    lifecycles = frozenset({wanted.lifecycle})
    return candidates, RunQuery(
        (EXPERIMENT,),
        frozenset({wanted.status}),
        wanted.tags,
        {},
        wanted.params,
        parent_id=wanted.parent_id,
        lifecycles=lifecycles,
    )


@given(cases())
def test_pushed_down_and_checked_again_is_what_matches(case: tuple[list[StoredRun], RunQuery]) -> None:
    candidates, query = case
    expected = [run for run in candidates if query.matches(run)]
    if cannot_match(query):
        assert expected == []
        return
    through = passed(pushed_filter(query), candidates)
    assert [run for run in through if query.matches(run)] == expected


@given(st.lists(runs, max_size=6), queries, st.integers(0, 10))
def test_the_next_page_begins_with_the_start_time(
    candidates: list[StoredRun], query: RunQuery, start: int
) -> None:
    if cannot_match(query):
        return
    ascending = query.order is Order.STARTED_ASCENDING
    later = [
        run for run in candidates if (run.started_at_ms >= start) == ascending or run.started_at_ms == start
    ]
    through = passed(from_start_time(pushed_filter(query), query.order, start), candidates)
    assert through == passed(pushed_filter(query), later)


def test_plain_conditions_are_pushed_down() -> None:
    query = RunQuery(
        (EXPERIMENT,),
        frozenset({RunStatus.FAILED}),
        tags={"a.b": "it's"},
        tag_in={"c": frozenset({"one"})},
        params={"p": "v"},
    )
    assert pushed_filter(query) == (
        "attributes.status = 'FAILED' AND tags.`a.b` = \"it's\" AND tags.`c` = 'one' AND params.`p` = 'v'"
    )
    assert pushed_filter(RunQuery((EXPERIMENT,), ANY_STATUS)) == ""
    assert order_by(Order.STARTED_DESCENDING) == ["attributes.start_time DESC"]


@given(st.frozensets(st.sampled_from(Lifecycle), min_size=1))
def test_the_view_covers_the_lifecycles(lifecycles: frozenset[Lifecycle]) -> None:
    from mlflow.entities import LifecycleStage

    covered = LifecycleStage.view_type_to_stages(view_code(lifecycles))  # type: ignore[no-untyped-call]
    assert lifecycles <= set(covered)


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 999)), unique=True),
    st.integers(1, 5),
    st.integers(1, 5),
)
@example([(1, i) for i in range(9)], 1, 2)
def test_pages_make_the_whole_list(rows: list[tuple[int, int]], first: int, largest: int) -> None:
    held = sorted(rows)

    def fetch(start: int | None, size: int, token: str | None) -> Page:
        assert 1 <= size <= largest
        left = [row for row in held if start is None or row[0] >= start]
        offset = int(token or 0)
        page = left[offset : offset + size]
        more = str(offset + size) if offset + size < len(left) else None
        return Page([run_of(*row) for row in page], more)

    found = page_through(fetch, first_page=first, largest_page=largest)
    assert [(run.started_at_ms, int(run.run_id)) for run in found] == held


def run_of(started: int, number: int) -> StoredRun:
    """A run that is nothing but its place in the order."""
    return StoredRun(f"{number:03}", EXPERIMENT, "n", RunStatus.RUNNING, Lifecycle.ACTIVE, started, None)
