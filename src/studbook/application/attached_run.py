"""A run that another process has opened, and will end."""

from __future__ import annotations

from collections.abc import Mapping

from ..domain.errors import NotYourRun, ReservedTag
from ..domain.events import Event
from ..domain.run import Ending, EndReason
from .run_handle import RunHandle


class AttachedRun(RunHandle):
    """Log to it as to any run. Its end, and the tags of the vocabulary, are its owner's: NotYourRun."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set your own tags. Raises NotYourRun for one of studbook's, TagInvalid, UndeclaredTag."""
        try:
            super().set_tags(tags)
        except ReservedTag as error:
            raise NotYourRun(
                f"{error.problem}: only the process that opened run {self.name!r} sets such tags",
                cure=error.cure,
                run=str(self.key),
            ) from error

    def end(self, ending: Ending, *events: Event) -> None:
        """Raises NotYourRun."""
        del ending, events
        raise NotYourRun(
            f"run {self.name!r} was opened by the parent process",
            cure="call context.finish(...) and leave: the parent ends it by the exit code and the result",
            run=str(self.key),
        )

    def leave(self) -> None:
        """End what was opened below it here, and is still open."""
        for child in self._children:
            child.give_up(EndReason.PARENT_ENDED)
