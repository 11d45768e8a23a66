"""How a failed call ends: one short message, or an error document, and an exit code."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import typer

from ...domain.errors import StudbookError
from ...domain.redaction import redact
from .output import write_document


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """What went wrong, for people and for programs."""

    kind: str
    problem: str
    cure: str
    exit_code: int
    details: dict[str, object]

    @classmethod
    def of(cls, error: Exception) -> ErrorReport:
        """Our own errors say what to do; a wrong call points to the help; anything else to `--debug`."""
        if isinstance(error, StudbookError):
            return cls(type(error).__name__, error.problem, error.cure, error.exit_code, error.details)
        if isinstance(error, typer.TyperException):
            context = getattr(error, "ctx", None)
            path = context.command_path if context is not None else "studbook"
            return cls("UsageError", error.format_message(), f"see `{path} --help`", 2, {})
        first_line = str(error).partition("\n")[0]
        problem = f"unexpected {type(error).__name__}: {first_line}"
        return cls(type(error).__name__, problem, "repeat with --debug for the traceback", 1, {})

    def write(self, *, as_json: bool) -> None:
        """The document on stdout, or the message on stderr; secrets masked."""
        if as_json:
            write_document(
                {
                    "error": {
                        "type": self.kind,
                        "problem": redact(self.problem),
                        "cure": redact(self.cure),
                        "exit_code": self.exit_code,
                        "details": {name: _shown(value) for name, value in self.details.items()},
                    }
                }
            )
            return
        typer.echo(f"studbook: {redact(self.problem)}", err=True)
        if self.cure:
            typer.echo(f"  {redact(self.cure)}", err=True)


def write_traceback(error: BaseException) -> None:
    """The whole traceback on stderr; secrets masked."""
    typer.echo(redact("".join(traceback.format_exception(error))), err=True, nl=False)


def _shown(value: object) -> object:
    return redact(value) if isinstance(value, str) else value
