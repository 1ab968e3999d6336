"""A pack's file under reading: where its keys stand, and the mistakes found so far."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flitstack.documents import Lines
from flitstack.errors import Problem

Place = tuple[str, ...]


@dataclass
class Page:
    """One YAML file of a pack. Problems are collected, so that all of them are told in one go."""

    path: Path
    lines: Lines = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, code: str, what: str, place: Place, do: str, known: Iterable[str] = ()) -> None:
        """Note a mistake at a place, or at the nearest place around it that has a line."""
        while place and place not in self.lines:
            place = place[:-1]
        where = f"{self.path.parent.name}/{self.path.name}:{self.lines.get(place, 1)}"
        self.problems.append(Problem(code, what, where=where, known=", ".join(known), do=do))

    def unknown(self, what: str, place: Place, known: Iterable[str]) -> None:
        """Note a word that is none of those known."""
        self.wrong("pack-unknown-word", what, place, "use one of the known words", sorted(known))

    def mapping(self, value: Any, what: str, place: Place, words: Iterable[str] = ()) -> Mapping[str, Any]:
        """The value when it is a mapping of known words (any words if none are given), else an empty one."""
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.wrong("pack-form", f"{place[-1]}: {what} must be a mapping", place, "write keys and values")
            return {}
        known = frozenset(words)
        for key in value:
            if known and key not in known:
                self.unknown(f"{str(key)!r} is no part of {what}", (*place, str(key)), known)
        return value

    def children(
        self, data: Mapping[str, Any], key: str, what: str, words: Iterable[str], around: Place = ()
    ) -> Iterator[tuple[str, Any]]:
        """The entries below `key` of data that stands at `around`, each a mapping of known words."""
        place = (*around, key)
        for name, entry in self.mapping(data.get(key), key, place).items():
            yield str(name), self.mapping(entry, what, (*place, str(name)), words)

    def texts(self, value: Any, what: str, place: Place) -> tuple[str, ...]:
        """A list of texts."""
        if not isinstance(value, list):
            self.wrong("pack-form", f"{what} must be a list", place, "write it in brackets: [first, second]")
            return ()
        return tuple(str(one) for one in value)
