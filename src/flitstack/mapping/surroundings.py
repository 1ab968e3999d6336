"""What a route of the map has around it: the other routes, the pack, the environment's metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from flitstack.catalogue.types import Table
from flitstack.errors import Problem
from flitstack.mapping.maps import MapFile, Route
from flitstack.mapping.target import describe_table
from flitstack.packs.types import Pack


@dataclass(frozen=True)
class Surroundings:
    """All map files, the pack they come from, and metadata by table (None: the table does not exist yet)."""

    maps: Mapping[str, MapFile]
    pack: Pack
    live: Mapping[str, Table | None]

    @cached_property
    def routed_tables(self) -> dict[str, set[str]]:
        """Tables that routes fill -> the match indexes they offer."""
        found: dict[str, set[str]] = {}
        for file in self.maps.values():
            for route in file.routes:
                found.setdefault(route.table, set()).update(route.matches)
        return found

    @cached_property
    def awaited_tables(self) -> dict[str, set[str]]:
        """Tables that the pack would fill from objects which this export does not hold -> the match indexes they offer."""
        found: dict[str, set[str]] = {}
        for name, routes in self.pack.playbook.get("routes", {}).items():
            for route in routes if name not in self.maps else ():
                found.setdefault(str(route["table"]), set()).update(map(str, route.get("matches") or ()))
        return found

    def is_awaited(self, table: str, via: str) -> bool:
        """Whether an object that this export does not hold would offer this index; `x_` is the publisher prefix."""
        spelled = (table, f"x_{table.partition('_')[2]}")
        return any(via in self.awaited_tables.get(name, ()) for name in spelled)

    @cached_property
    def made_tables(self) -> dict[str, Mapping[str, object]]:
        """Tables that the map makes -> what it says of them."""
        routes = [route for file in self.maps.values() for route in file.routes]
        return {route.table: route.create_table for route in routes if route.create_table is not None}

    def table(self, name: str) -> Table | None:
        """Metadata of a table."""
        return describe_table(name, self.live)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a route, and the problems that are found there."""

    file: MapFile
    number: int
    around: Surroundings
    place: tuple[str, ...] = ()

    @property
    def route(self) -> Route:
        """The route the place is in."""
        return self.file.routes[self.number]

    def inside(self, *place: str | int) -> "Spot":
        """A place further in."""
        return Spot(self.file, self.number, self.around, (*self.place, *map(str, place)))

    def problem(self, code: str, what: str, do: str, known: str = "") -> Problem:
        """Something that is wrong here."""
        return Problem(code, what, rule=self.file.at("routes", self.number, *self.place), known=known, do=do)
