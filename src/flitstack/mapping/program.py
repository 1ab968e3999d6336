"""A route compiled to SQL: what `run` executes and `check` only builds."""

from dataclasses import dataclass, field
from typing import Any

from flitstack.mapping.convert import Trouble
from flitstack.mapping.document import MappedColumn
from flitstack.mapping.maps import MapFile, Route


@dataclass(frozen=True, slots=True)
class Way:
    """One way of a lookup: `key` is SQL of the key, or of a list of keys when `is_list` (the first that fits counts)."""

    tables: tuple[str, ...]
    via: str
    key: str
    is_list: bool = False
    is_live: bool = False
    but: str = ""  # program whose own rows do not count


@dataclass(frozen=True, slots=True)
class LookupPlan:
    """A lookup column. `present`: SQL that holds when the source names a target; `missing`: hold | blank | skip."""

    column: str
    place: int  # unique in the route
    ways: tuple[Way, ...]
    missing: str
    code: str
    field: str
    present: str
    shown: str
    instead_of: str = ""  # column of the lookup whose finding tells for both
    awaited: str = ""  # SQL that holds when the target may come with a later batch; "" never

    @property
    def is_early(self) -> bool:
        """Whether a record that finds nothing makes no row: then the rows of others depend on it."""
        return self.missing in {"hold", "skip"}


@dataclass(frozen=True, slots=True)
class PartyPlan:
    """Participants of an activity: an owner, or the elements of a list looked up in a match index; `or_users`: an element
    that no row is known by may be a user's address."""

    mask: int
    when: str
    owner: str = ""
    way: Way | None = None
    or_users: bool = False


@dataclass(frozen=True, slots=True)
class TagPlan:
    """A vocabulary on this route: `keys` is SQL of the list of choice keys."""

    vocabulary: str
    column: str
    label: str
    field: str
    keys: str
    strategy: str  # text | multiselect | table | auto
    table: str
    options: dict[str, int]


@dataclass
class Program:
    """A route as SQL, filled by `compile_route`. `parsed`, `values`: (name, SQL), the second over the first.

    `condition` is its own; `takes` that of the records it takes among the routes of its object (routing.py).
    `fulls`: (column, label, SQL) companions of cut texts.
    """

    file: MapFile
    route: Route
    number: int
    source: str  # view over the object's records
    fields: tuple[str, ...]
    condition: str = "TRUE"
    takes: str = "TRUE"
    parsed: list[tuple[str, str]] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)
    columns: list[MappedColumn] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    lookups: list[LookupPlan] = field(default_factory=list)
    matches: dict[str, str] = field(default_factory=dict)
    parties: list[PartyPlan] = field(default_factory=list)
    fulls: list[tuple[str, str, str]] = field(default_factory=list)
    tags: TagPlan | None = None
    has_states: bool = False
    has_files: bool = False
    has_copies: bool = False  # files that somebody copies to where the rows say they are
    key: str = "_id"
    unless: list[Way] = field(default_factory=list)
    suffix: str = ""  # `#<route name>` where an earlier route of the object goes to the same table
    create_table: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """`<object>__<route>`, unique in the map."""
        return f"{self.route.object.lower()}__{self.route.name.lower()}"

    @property
    def is_primary(self) -> bool:
        """Whether its rows count in the object's account."""
        return not self.route.also
