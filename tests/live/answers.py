"""What a real workspace answered to questions that its documentation leaves open."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Answers:
    """In the order they were given."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def tell(self, question: str, answer: object) -> None:
        """Keep an answer for the table at the end."""
        self.rows.append((question, str(answer)))

    def lines(self) -> list[str]:
        """The table, in Markdown."""
        return ["| question | answer |", "|---|---|", *(f"| {what} | {said} |" for what, said in self.rows)]


ANSWERS = Answers()
