"""What events carry by name: typed params, and measured numbers."""

from __future__ import annotations

from pydantic import JsonValue

Params = dict[str, JsonValue]
Metrics = dict[str, float]
