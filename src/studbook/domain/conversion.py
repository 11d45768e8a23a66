"""A conversion: which files become what, how."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .checked import Checked
from .fields import Digest, Free
from .keys import ConversionKey


class Tool(Checked):
    """The program that converts."""

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)

    def payload(self) -> dict[str, Any]:
        """What the key takes of it."""
        return {"name": self.name, "version": self.version}


class ConversionSpec(Checked):
    """`source` is the content digest of what is converted; `format` a lower-case name such as `onnx`."""

    source: Digest
    format: str = Field(pattern=r"^[a-z0-9_]{1,32}$")
    options: Free = Field(default_factory=dict)
    tool: Tool | None = None

    def payload(self) -> dict[str, Any]:
        """What the key is made of."""
        return {
            "source": self.source,
            "format": self.format,
            "options": self.options,
            "tool": self.tool and self.tool.payload(),
        }

    @property
    def key(self) -> ConversionKey:
        """The conversion's identity."""
        return ConversionKey.of(self.payload())
