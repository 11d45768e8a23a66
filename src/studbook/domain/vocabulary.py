"""The tag vocabulary: which keys hold studbook's own tags, and how they are written and read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from .errors import ConfigError, MalformedRun, TagInvalid, UndeclaredTag
from .stage import Stage
from .tag import Tag
from .tag_table import TAGS

RESERVED_PREFIXES = ("studbook.", "mlflow.", "azureml.", "code.")

MOST_TAGS = 36
"""So many of studbook's own may be on a run: what the smallest backend leaves beside its own and some of users'."""

_BACKEND_PREFIXES = ("mlflow.", "azureml.")
_USERS_OWN = frozenset({"mlflow.note.content"})
_KEY = re.compile(r"[A-Za-z0-9_.]{1,100}")
_REMEMBERED = 256
"""So many different texts of a key are parsed once: most tags of most runs say one of a few things."""
_LONGEST_REMEMBERED = 256
"""In characters: those that repeat are short, and long ones would be kept for ever."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The declared tags, with a project's own keys for some of them. Names are those of the table.

    `keys` says where a name is written; `aliases` are keys that a project used before: read, never written.
    """

    tags: tuple[Tag, ...] = field(default=TAGS, repr=False)
    keys: Mapping[str, str] = field(default_factory=dict, hash=False)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    _by_name: dict[str, Tag] = field(init=False, repr=False, compare=False)
    _read_keys: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    _groups: dict[str, frozenset[str]] = field(init=False, repr=False, compare=False)
    _written: frozenset[str] = field(init=False, repr=False, compare=False)
    _owners: dict[str, tuple[Tag, tuple[str, ...]]] = field(init=False, repr=False, compare=False)
    _parsed: dict[str, dict[str, object]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {tag.name: tag for tag in self.tags}
        for name in (*self.keys, *self.aliases):
            if name not in by_name:
                raise ConfigError(
                    f"tags.yaml names {name!r}, which is no tag of the vocabulary",
                    cure=_names_for(name, by_name),
                    name=name,
                )
        read_keys = {
            tag.name: tuple(
                dict.fromkeys((self.keys.get(tag.name, tag.key), *self.aliases.get(tag.name, ()), tag.key))
            )
            for tag in self.tags
        }
        _check_remapping((*self.keys.values(), *(key for keys in self.aliases.values() for key in keys)))
        _check_disjoint(read_keys)
        groups: dict[str, set[str]] = {}
        for name in by_name:
            groups.setdefault(name.partition(".")[0] + ".", set()).add(name)
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_groups", {part: frozenset(names) for part, names in groups.items()})
        object.__setattr__(self, "_read_keys", read_keys)
        object.__setattr__(self, "_written", frozenset(keys[0] for keys in read_keys.values()))
        owners = {
            key: (by_name[name], keys[:rank])
            for name, keys in read_keys.items()
            for rank, key in enumerate(keys)
        }
        object.__setattr__(self, "_owners", owners)
        object.__setattr__(self, "_parsed", {key: {} for key in owners})

    def remapped(
        self, keys: Mapping[str, str], aliases: Mapping[str, Iterable[str]] | None = None
    ) -> Vocabulary:
        """This vocabulary with other keys for some names.

        Raises ConfigError for an unknown name, a key that two names would share, or a key that not every
        backend can hold.
        """
        return Vocabulary(
            self.tags,
            {**self.keys, **keys},
            {**self.aliases, **{name: tuple(before) for name, before in (aliases or {}).items()}},
        )

    def key(self, name: str) -> str:
        """The key that the tag is written under. Raises UndeclaredTag."""
        return self._keys_of(name)[0]

    def read_keys(self, name: str) -> tuple[str, ...]:
        """The keys that the tag is read from, first one first. Raises UndeclaredTag."""
        return self._keys_of(name)

    def names_under(self, prefix: str) -> frozenset[str]:
        """The names whose first part, with its dot, is the prefix."""
        return self._groups.get(prefix, frozenset())

    def carries(self, name: str, stage: Stage | None) -> bool:
        """Whether runs of the stage may carry the tag; with None, whether runs of all stages may."""
        tag = self._by_name.get(name)
        return tag is not None and (tag.stages >= frozenset(Stage) if stage is None else stage in tag.stages)

    def write(self, name: str, value: object, stage: Stage | None = None) -> tuple[str, str]:
        """Key and text of a tag on a run of this stage; without a stage, only tags that every run may carry.

        Raises UndeclaredTag when the name is not declared for it, TagInvalid for a value of another type.
        """
        key = self.key(name)
        if not self.carries(name, stage):
            raise UndeclaredTag(
                f"tag {name!r} is not declared on {stage or 'every stage'}",
                cure="a tag of one stage is written by that stage's events only",
                name=name,
            )
        try:
            return key, self._by_name[name].type.write(value)
        except ValueError as error:
            raise TagInvalid(
                f"tag {name!r} is a {self._by_name[name].type.name}: {error}",
                cure="give a value of the tag's type",
                name=name,
            ) from error

    def read(
        self, name: str, tags: Mapping[str, str], *, run: str | None = None, legacy: bool = False
    ) -> object | None:
        """The typed value, from the first key that is there; None when none is.

        The legacy keys come last, and only with `legacy`. Raises MalformedRun, which names `run` and the tag,
        for text that is not of the tag's type.
        """
        found = self.find(name, tags, legacy=legacy)
        if found is None:
            return None
        key, text = found
        return self._parse(self._by_name[name], key, text, run or tags.get(self.key("run.key")))

    def read_all(self, tags: Mapping[str, str], *, run: str | None = None) -> dict[str, object]:
        """Every declared tag that is there, by name, typed: `read` for all names, in one pass over the tags.

        Runs share the values, which must not be changed. Raises MalformedRun.
        """
        values: dict[str, object] = {}
        for key, text in tags.items():
            owner = self._owners.get(key)
            if owner is None or (owner[1] and any(earlier in tags for earlier in owner[1])):
                continue
            tag, parsed = owner[0], self._parsed[key]
            value = parsed.get(text)
            if value is None:
                value = self._parse(tag, key, text, run)
                if len(parsed) < _REMEMBERED and len(text) <= _LONGEST_REMEMBERED:
                    parsed[text] = value
            values[tag.name] = value
        return values

    def _parse(self, tag: Tag, key: str, text: str, run: str | None) -> object:
        try:
            return tag.type.parse(text)
        except ValueError as error:
            who = run or "(no run key)"
            raise MalformedRun(
                f"run {who}: tag {key!r} is no {tag.type.name}: {error}",
                cure="correct the tag in the store, or delete the run",
                run=who,
                tag=key,
            ) from error

    def find(self, name: str, tags: Mapping[str, str], *, legacy: bool = False) -> tuple[str, str] | None:
        """The first key that is there, and its text as it is."""
        keys = self._keys_of(name)
        for key in (*keys, *self._by_name[name].aliases) if legacy else keys:
            text = tags.get(key)
            if text is not None:
                return key, text
        return None

    def required(self, stage: Stage | None = None) -> frozenset[str]:
        """The names that a run of the stage carries from its start event on; with None, of every run."""
        stages = frozenset(Stage) if stage is None else frozenset({stage})
        return frozenset(tag.name for tag in self.tags if tag.required >= stages)

    def is_reserved(self, key: str) -> bool:
        """Whether users may not write the key: it belongs to studbook or to a backend."""
        return (key.startswith(RESERVED_PREFIXES) and key not in _USERS_OWN) or key in self._written

    def tells_identity(self, key: str) -> bool:
        """Whether the key is that of a tag which runs carry from their start event on."""
        owner = self._owners.get(key)
        return owner is not None and bool(owner[0].required)

    def declares(self, key: str) -> bool:
        """Whether a declared tag is read from this key."""
        return key in self._owners

    def _keys_of(self, name: str) -> tuple[str, ...]:
        try:
            return self._read_keys[name]
        except KeyError:
            raise UndeclaredTag(
                f"tag {name!r} is not in the vocabulary",
                cure="use a declared name, or set a tag of your own with set_tags",
                name=name,
            ) from None


def _names_for(name: str, names: Iterable[str]) -> str:
    """The cure for a name that is none: the nearest one, else all."""
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else "use one of: " + ", ".join(sorted(names))


def _check_remapping(keys: Iterable[str]) -> None:
    for key in keys:
        if not _KEY.fullmatch(key):
            raise ConfigError(
                f"tags.yaml gives the key {key!r}, which not every backend can hold",
                cure="use at most 100 letters, digits, `_` and `.`",
                key=key,
            )
        if key.startswith(_BACKEND_PREFIXES):
            raise ConfigError(
                f"tags.yaml gives the key {key!r}, which belongs to the backend",
                cure="use a key that does not begin with " + " or ".join(_BACKEND_PREFIXES),
                key=key,
            )


def _check_disjoint(read_keys: Mapping[str, tuple[str, ...]]) -> None:
    owner: dict[str, str] = {}
    for name, keys in read_keys.items():
        for key in keys:
            if owner.setdefault(key, name) != name:
                raise ConfigError(
                    f"tags.yaml gives the key {key!r} to {name!r}, but it is that of {owner[key]!r}",
                    cure="give every name a key of its own",
                    key=key,
                )


DEFAULT_VOCABULARY = Vocabulary()
