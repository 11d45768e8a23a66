"""Where a model came from: the tree of its ancestors, with what was measured of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from .run_view import RunView
from .stage import Stage
from .vocabulary import DEFAULT_VOCABULARY, Vocabulary

_LINEAGE_ORDER = ("selection", "parent", "refit", "trial", "sweep")


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A run and what it came from. `run` is a ref where the run is not known.

    `relation` says what it is to the node above; `repeated` marks a run that is unfolded elsewhere.
    """

    run: RunView | str
    relation: str
    children: tuple[LineageNode, ...] = ()
    repeated: bool = False

    def __str__(self) -> str:
        return "\n".join(render(self))

    @property
    def ref(self) -> str:
        """The run key, `run:<backend id>`, or the content digest of an external model."""
        return self.run if isinstance(self.run, str) else self.run.ref

    @property
    def url(self) -> str | None:
        """The page that shows the run, where it is known and has one."""
        return None if isinstance(self.run, str) else self.run.url

    def walk(self) -> Iterator[LineageNode]:
        """This node and all below, top down."""
        yield self
        for child in self.children:
            yield from child.walk()


def lineage_of(
    ref: str, runs: Mapping[str, RunView], vocabulary: Vocabulary = DEFAULT_VOCABULARY
) -> LineageNode:
    """The tree of a run's ancestors, by parent, refit, subject, winner and lineage edges.

    Folds stand below their trial, benchmarks below the run they measured. Total: unknown refs are leaves,
    every run is unfolded once, and a cycle ends at the run that closes it.
    """
    tree = _Tree(runs, vocabulary)
    return tree.with_descendants(tree.ancestry(ref, "target"))


class _Tree:
    """Ancestors first, for the whole tree: only then is it known which folds and benchmarks stand in it."""

    def __init__(self, runs: Mapping[str, RunView], vocabulary: Vocabulary) -> None:
        self._runs = runs
        self._vocabulary = vocabulary
        self._seen: set[str] = set()
        self._descendants: defaultdict[str, list[tuple[str, RunView]]] = defaultdict(list)
        for run in sorted(runs.values(), key=lambda run: (run.started_at, run.ref)):
            if run.stage is Stage.FOLD and run.parent is not None:
                self._descendants[run.parent].append(("fold", run))
            if run.stage is Stage.BENCHMARK and run.subject is not None:
                self._descendants[run.subject].append(("benchmark", run))

    def ancestry(self, ref: str, relation: str) -> LineageNode:
        run = self._runs.get(ref)
        if run is None:
            return LineageNode(ref, relation)
        if ref in self._seen:
            return LineageNode(run, relation, repeated=True)
        self._seen.add(ref)
        children: list[LineageNode] = []
        below: set[str] = set()
        for name, target in self._ancestors(run):
            if target not in below:
                child = self.ancestry(target, name)
                children.append(child)
                below.update(each.ref for each in child.walk())
        return LineageNode(run, relation, tuple(children))

    def with_descendants(self, node: LineageNode) -> LineageNode:
        children = tuple(self.with_descendants(child) for child in node.children)
        if node.repeated or isinstance(node.run, str):
            return node
        beside = [(name, run) for name, run in self._descendants[node.ref] if run.ref not in self._seen]
        self._seen.update(run.ref for _, run in beside)
        return replace(node, children=(*children, *(LineageNode(run, name) for name, run in beside)))

    def _ancestors(self, run: RunView) -> Iterator[tuple[str, str]]:
        """Closest first, so that an ancestor stands where it belongs and not once more above."""
        if run.stage is Stage.SELECTION:
            for relation, name in (
                ("winner_refit", "selection.winner_refit"),
                ("winner", "selection.winner"),
                ("pointer", "pointer.ref"),
            ):
                ref = self._vocabulary.read(name, run.tags, run=run.ref)
                if isinstance(ref, str):
                    yield relation, ref
        if run.subject is not None:
            yield "subject", run.subject
        if run.refit_of is not None:
            yield "refit_of", run.refit_of
        for word in _LINEAGE_ORDER:
            if word in run.lineage:
                yield "input" if word == "parent" else word, run.lineage[word]
        if run.parent is not None:
            yield "parent", run.parent


@dataclass(frozen=True, slots=True)
class LineageLine:
    """One line of the tree as text: its branch, then the run, which may have a page."""

    branch: str
    label: str
    url: str | None

    def __str__(self) -> str:
        return self.branch + self.label


def render(node: LineageNode) -> list[str]:
    """The tree as text lines."""
    return [str(line) for line in lines(node)]


def lines(node: LineageNode) -> Iterator[LineageLine]:
    """The tree line by line, top down."""
    yield LineageLine("", _label(node), node.url)
    yield from _below(node, "")


def _below(node: LineageNode, indent: str) -> Iterator[LineageLine]:
    for child in node.children:
        last = child is node.children[-1]
        branch = f"{indent}{'└─' if last else '├─'} {child.relation}: "
        yield LineageLine(branch, _label(child), child.url)
        yield from _below(child, indent + ("   " if last else "│  "))


def _label(node: LineageNode) -> str:
    if isinstance(node.run, str):
        return f"{node.ref} (not found)"
    run = node.run
    kind, _, digest = run.ref.partition(":")
    short = f"{kind}:{digest[:12]}" if kind == "rk3" else run.ref
    words = [str(run.stage or "run"), run.name, str(run.status), short]
    if run.trial_number is not None:
        words.insert(1, f"#{run.trial_number}")
    return " ".join(words) + (" (see above)" if node.repeated else "")
