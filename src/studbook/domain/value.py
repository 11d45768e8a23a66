"""The base of every validated value: frozen, closed to unknown fields."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable, validated value. Unknown fields are refused; NaN and infinity survive JSON as text."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=False,
        ser_json_inf_nan="strings",
        hide_input_in_errors=True,
    )


class Described(Value):
    """A value whose fields are described by the text below them: references and schemas are made of it."""

    model_config = ConfigDict(use_attribute_docstrings=True)
