"""Many new rows of one table as columns: the quick way of CreateMultiple.

A block is what most requests are: plain values and bindings, the same rules for every row. Whatever is unusual about a
request (nested rows, activities, a rule that knows only single rows) or wrong with it goes row by row instead (write.py),
where the first fault of the first faulty row is found. Both ways store the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from flitstack.emulator.checkers import Stored
from flitstack.emulator.column_checks import ColumnChecker, column_checker, with_nulls
from flitstack.emulator.ddl import is_polymorphic, type_column
from flitstack.emulator.guid_columns import TEXT_SIZE, read_guids
from flitstack.emulator.rows.payload import BIND, RowParser, parser
from flitstack.emulator.rows.references import PLAIN, parse_target
from flitstack.emulator.schema import EntityModel, LookupNav
from flitstack.emulator.store import Store
from flitstack.emulator.work import Work

Body = dict[str, object]
Pointed = tuple[Sequence[Stored], Sequence[Stored]]  # ids and tables


class Unusual(Exception):
    """Rows that must go one by one."""


@dataclass(slots=True)
class Block:
    """`columns` holds a value per row; `constants` what all rows have in common; `targets` ids pointed to, by table."""

    work: Work
    model: EntityModel
    size: int
    columns: dict[str, Sequence[Stored]] = field(default_factory=dict)
    constants: dict[str, Stored] = field(default_factory=dict)
    targets: dict[str, set[bytes]] = field(default_factory=dict)

    def __contains__(self, column: str) -> bool:
        """Whether the rows say something about a column."""
        return column in self.columns or column in self.constants

    def values(self, column: str) -> Sequence[Stored]:
        """A column's values; nulls when the rows have none."""
        found = self.columns.get(column)
        return [self.constants.get(column)] * self.size if found is None else found

    def put(self, column: str, values: Sequence[Stored]) -> None:
        """Set a column."""
        self.columns[column] = values
        self.constants.pop(column, None)

    def put_same(self, column: str, value: Stored) -> None:
        """Give all rows the same value."""
        self.constants[column] = value
        self.columns.pop(column, None)


def parse_block(work: Work, model: EntityModel, bodies: Sequence[Body]) -> Block:
    """Check every property of every row. Raises Unusual, or the Refusal of one of the faults."""
    parse = parser(work.store, model, is_create=True)
    block = Block(work, model, len(bodies))
    alike = _transposed(bodies)
    binds: dict[str, list[tuple[str, LookupNav]]] = {}
    for name in alike or dict.fromkeys(chain.from_iterable(bodies)):
        if name in parse.checkers:
            check = _checker(work.store, parse, name)
            if alike is None:
                block.columns[name] = _defaulted(model, name, check([body.get(name) for body in bodies]), bodies)
            else:
                block.columns[name] = check(alike[name])
        elif name.endswith(BIND):
            bare = name[: -len(BIND)]
            nav = model.lookups.get(bare)
            if nav is None or bare in model.collections or nav.column in parse.ignored:
                raise Unusual
            binds.setdefault(nav.column, []).append((name, nav))
        elif "@" not in name and name not in parse.ignored:
            raise Unusual
    for column, bound in binds.items():
        if column in block.columns or (len(bound) > 1 and not _is_one_each([name for name, _ in bound], bodies)):
            raise Unusual
        ids, kinds = _bound(
            block, [(nav, alike[name] if alike else [b.get(name) for b in bodies]) for name, nav in bound]
        )
        _point(block, column, ids, kinds)
    return block


def _transposed(bodies: Sequence[Body]) -> dict[str, Sequence[object]] | None:
    """Property -> its value in each row; None when the rows differ in their properties or in the order of them."""
    names = list(bodies[0])
    if not all(map(names.__eq__, map(list, bodies))):
        return None
    return dict(zip(names, zip(*map(dict.values, bodies), strict=True), strict=True))


def _checker(store: Store, parse: RowParser, name: str) -> ColumnChecker:
    slot = ("column checker", parse.model.name, name)
    if slot not in store.compiled:
        store.compiled[slot] = column_checker(parse.model.columns[name], parse.checkers[name])
    return store.compiled[slot]  # type: ignore[return-value]


def _defaulted(model: EntityModel, name: str, checked: Sequence[Stored], bodies: Sequence[Body]) -> Sequence[Stored]:
    """A row without the property takes the column's default; one with a null keeps the null."""
    default = model.columns[name].default
    if default is None:
        return checked
    return [stored if name in body else int(default) for stored, body in zip(checked, bodies, strict=True)]


def _is_one_each(names: Sequence[str], bodies: Sequence[Body]) -> bool:
    return all(sum(name in body for name in names) <= 1 for body in bodies)


def _bound(block: Block, bound: Sequence[tuple[LookupNav, Sequence[object]]]) -> Pointed:
    """Ids and tables that one lookup takes from the properties that bind it, of which each row has at most one."""
    ids, kinds = _references(block, *bound[0])
    for nav, values in bound[1:]:
        more, of_kind = _references(block, nav, values)
        ids = [one or other for one, other in zip(ids, more, strict=True)]
        kinds = [one or other for one, other in zip(kinds, of_kind, strict=True)]
    return ids, kinds


def _references(block: Block, nav: LookupNav, values: Sequence[object]) -> Pointed:
    present = [value for value in values if value is not None]
    if not present:
        return [None] * len(values), [None] * len(values)
    plain = _read_plain(block.work.store, present)
    if plain is None:
        found = [parse_target(block.work.store, value, block.work.content_ids) for value in present]
        plain = [target.id for target in found], [target.model.name for target in found]
    ids, kinds = plain
    for kind in set(kinds):
        if kind not in nav.targets:
            raise Unusual
        own = ids if len(ids) == kinds.count(kind) else [i for i, k in zip(ids, kinds, strict=True) if k == kind]
        block.targets.setdefault(kind, set()).update(own)
    if len(present) == len(values):
        return ids, kinds
    return with_nulls(values, iter(ids)), with_nulls(values, iter(kinds))


def _read_plain(store: Store, texts: Sequence[object]) -> tuple[list[bytes], list[str]] | None:
    """Ids and tables of references that are all `/set(guid)` of one set; None when some are not."""
    first = texts[0]
    plain = PLAIN.fullmatch(first) if isinstance(first, str) else None
    if plain is None or set(map(type, texts)) != {str}:
        return None
    pieces: Sequence[str] = texts  # type: ignore[assignment]
    size, joined = len(plain[0]), "".join(pieces)
    start = size - TEXT_SIZE - 1
    if set(map(len, pieces)) != {size} or not joined.isascii():
        return None
    if any(joined[place::size] != plain[0][place] * len(pieces) for place in (*range(start), size - 1)):
        return None
    ids = read_guids(joined.encode(), size, start)
    return None if ids is None else (ids, [store.schema.by_entity_set(plain[1]).name] * len(ids))


def _point(block: Block, column: str, ids: Sequence[Stored], kinds: Sequence[Stored]) -> None:
    block.put(column, ids)
    if not is_polymorphic(block.model.columns[column]):
        return
    if kinds.count(kinds[0]) == len(kinds):
        block.put_same(type_column(column), kinds[0])
    else:
        block.put(type_column(column), kinds)
