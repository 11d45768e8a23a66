"""Hypothesis strategies for search spaces that every sampler must be able to search."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st
from pydantic import JsonValue

from ...domain.distributions import Categorical, Distribution, Fixed, FloatRange, IntRange
from ...domain.search_space import SearchSpace

_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("model_family", "backbone")
)


def choices() -> st.SearchStrategy[JsonValue]:
    """Anything that a parameter may be: also nested, or equal to another in Python only (True and 1)."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        st.sampled_from([2**53 + 1, -(2**70)]),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8"), max_size=6),
        st.sampled_from(["json:1", "json:[", "None", "1"]),
    )
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("ab$", max_size=2), inner, max_size=2)
        ),
        max_leaves=4,
    )


def categoricals() -> st.SearchStrategy[Distribution]:
    """One of a few choices."""
    return st.lists(choices(), min_size=1, max_size=5).map(lambda found: Categorical(choices=tuple(found)))


@st.composite
def float_ranges(draw: st.DrawFn) -> Distribution:
    """Plain, logarithmic, and on a decimal grid."""
    kind = draw(st.sampled_from(["plain", "log", "step"]))
    if kind == "log":
        low, high = sorted(draw(st.tuples(st.floats(1e-12, 1e6), st.floats(1e-12, 1e6))))
        return FloatRange(low=low, high=high, log=True)
    if kind == "plain":
        low, high = sorted(draw(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))))
        return FloatRange(low=low, high=high)
    unit = Decimal(1).scaleb(-draw(st.integers(0, 5)))
    start, width = draw(st.integers(-500, 500)), draw(st.integers(1, 60))
    count = draw(st.integers(0, 40))
    return FloatRange(
        low=float(start * unit), high=float((start + width * count) * unit), step=float(width * unit)
    )


@st.composite
def int_ranges(draw: st.DrawFn) -> Distribution:
    """Plain, stepped and logarithmic."""
    if draw(st.booleans()):
        low, high = sorted(draw(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6))))
        return IntRange(low=low, high=high, log=True)
    low, high = sorted(draw(st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))))
    return IntRange(low=low, high=high, step=draw(st.integers(1, 1000)))


def fixed_values() -> st.SearchStrategy[Distribution]:
    """One value."""
    return choices().map(lambda value: Fixed(value=value))


def search_spaces(*, max_parameters: int = 5) -> st.SearchStrategy[SearchSpace]:
    """Named distributions of all kinds."""
    kinds = st.one_of(float_ranges(), int_ranges(), categoricals(), fixed_values())
    return st.dictionaries(_NAMES, kinds, min_size=1, max_size=max_parameters).map(SearchSpace.parse)
