"""The verbs, and how one is loaded: only the verb that is called is imported."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from .command_line import GlobalOptions, prepare

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb's function is, and its line in the help of the verbs."""

    module: str
    function: str
    summary: str


VERBS: dict[str, Verb] = {
    "demo": Verb("demo", "demo", "A model's whole life on handwritten digits."),
    "sweep": Verb("sweep", "sweep", "Search a study that a file describes."),
    "runs": Verb("runs", "runs", "What is in the store."),
    "champions": Verb("champions", "champions", "The best trial of each model family."),
    "select": Verb("select", "select", "Choose the best model, and record why."),
    "acquire": Verb("acquire", "acquire", "A run's files, verified."),
    "lineage": Verb("lineage", "lineage", "Where a model came from."),
    "sync": Verb("sync", "sync", "Deliver what waits in the home."),
    "status": Verb("status", "status", "How deliveries, writers and the journal are doing."),
    "reap": Verb("reap", "reap", "End the open runs of programs that died."),
    "events": Verb("events", "events", "What the journal holds."),
    "migrate": Verb("migrate", "migrate", "Copy a store's runs into another, and compare."),
    "doctor": Verb("doctor", "doctor", "What is wrong, or soon will be, and what to do about it."),
    "config show": Verb("config_show", "show", "Every setting that is in force."),
    "config schema": Verb("config_schema", "schema", "What may stand in a settings file, for editors."),
}
"""By what is typed. Of several words, the first name a group."""

GROUPS: dict[str, str] = {"config": "The settings."}

JSON_HELP = "Answer with one JSON document on stdout."


class VerbGroup(TyperGroup):
    """A group that knows its verbs by name, and imports one only to run it or to show its help."""

    words: tuple[str, ...] = ()

    def list_commands(self, ctx: Context) -> list[str]:
        del ctx
        return list(self._summaries())

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        del ctx
        words = (*self.words, cmd_name)
        verb = VERBS.get(" ".join(words))
        if verb is not None:
            return _command(cmd_name, verb)
        if cmd_name not in self._summaries():
            return None
        group = VerbGroup(name=cmd_name, help=GROUPS[cmd_name], rich_markup_mode=None)
        group.words = words
        return group

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-"):
            near = get_close_matches(args[0], names, n=1)
            ctx.fail(f"there is no verb {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(list(self._summaries().items()))

    def _summaries(self) -> dict[str, str]:
        """The next words from here, with their lines of help."""
        depth = len(self.words)
        found: dict[str, str] = {}
        for text, verb in VERBS.items():
            words = tuple(text.split())
            if words[:depth] == self.words:
                last = len(words) == depth + 1
                found.setdefault(words[depth], verb.summary if last else GROUPS[words[depth]])
        return found


def _command(name: str, verb: Verb) -> Command:
    function = getattr(import_module(f".{verb.module}", __package__), verb.function)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name)(_prepared(function))
    return typer.main.get_command(app)


def _prepared(function: Callable[..., None]) -> Callable[..., None]:
    """The verb as typer sees it: its own parameters and `--json`, its CommandLine made from the context."""

    @wraps(function)
    def run(ctx: typer.Context, *, as_json: bool, **arguments: Any) -> None:
        options: GlobalOptions = ctx.obj
        function(prepare(replace(options, as_json=options.as_json or as_json)), **arguments)

    _cli, *own = inspect.signature(function, eval_str=True).parameters.values()
    kind = inspect.Parameter.KEYWORD_ONLY
    flag = Annotated[bool, typer.Option("--json", help=JSON_HELP)]
    parameters = [
        inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *(parameter.replace(kind=kind) for parameter in own),
        inspect.Parameter("as_json", kind, annotation=flag, default=False),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
