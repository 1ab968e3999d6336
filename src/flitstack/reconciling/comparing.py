"""When two cells are the same: one SQL condition a column type.

`e` is the send table (what was meant), `a` the read-back (what is there). A cell that was sent empty is the same as an
empty one, and as what the platform fills in by itself: a column's default, an owner, a currency, an automatic number.
"""

from dataclasses import dataclass

from flitstack.catalogue.types import Column, Table
from flitstack.planning.document import SendColumn
from flitstack.reconciling.readback import as_uuid
from flitstack.staging.engine.engine import literal, quoted

LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
_WHOLE = frozenset({"Integer", "BigInt", "Picklist", "State", "Status"})
# Filled by the platform when a create leaves them out.
_FILLED = frozenset({"ownerid", "transactioncurrencyid", "statuscode", "statecode", "createdon", "modifiedon"})
# Columns whose markup the platform may rewrite: their text decides.
_RICH = frozenset({("email", "description"), ("annotation", "notetext")})
_MONEY_SCALE = 4  # what SQL Server's money keeps
_DECIMAL_SCALE = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """One column to compare: the condition `same`, and both values as text (people see their shapes only)."""

    name: str
    field: str
    same: str
    expected: str
    actual: str


def compare_column(table: Table, sent: SendColumn, column: Column, *, is_update: bool) -> Comparison:
    """The comparison of one value or lookup column. `column` is the one that shows the value (`read_back`)."""
    e, a = f"e.{quoted(sent.name)}", f"a.{quoted(sent.read_back)}"
    if sent.is_lookup or column.type in LOOKUPS:
        return _lookup(sent, column, is_update=is_update)
    equal, actual = _equal(table, column, e, a)
    nothing = f"{actual} IS NULL" if is_update else _empty_enough(column, actual)
    same = f"CASE WHEN {_meant(column, e)} IS NULL THEN {nothing} ELSE coalesce({equal}, FALSE) END"
    return Comparison(sent.name, sent.field, same, f"CAST({e} AS VARCHAR)", f"CAST({a} AS VARCHAR)")


def _lookup(sent: SendColumn, column: Column, *, is_update: bool) -> Comparison:
    e, a = f"e.{quoted(sent.name)}", as_uuid(f"a.{quoted(sent.read_back)}")
    e_table, a_table = (
        f"{side}.{quoted(name + '__table')}" for side, name in (("e", sent.name), ("a", sent.read_back))
    )
    nothing = "TRUE" if column.name in _FILLED and not is_update else f"{a} IS NULL"
    equal = f"coalesce({e} = {a} AND {e_table} = {a_table}, FALSE)"
    same = f"CASE WHEN {e} IS NULL THEN {nothing} ELSE {equal} END"
    return Comparison(sent.name, sent.field, same, f"CAST({e} AS VARCHAR)", f"CAST({a} AS VARCHAR)")


def _meant(column: Column, e: str) -> str:
    """A text of nothing but blanks is stored as no value."""
    return trimmed(e) if column.type in {"String", "Memo"} else e


def _equal(table: Table, column: Column, e: str, a: str) -> tuple[str, str]:
    """The condition for two values, and the actual one in comparable form."""
    kind = column.type
    if kind in _WHOLE:
        return f"CAST({e} AS BIGINT) = {a}", a
    if kind == "Boolean":
        return f"CAST({e} AS BOOLEAN) = {a}", a
    if kind in {"Money", "Decimal", "Double"}:
        scale = scale_of(column)
        actual = f"round(CAST({a} AS DECIMAL(38, 12)), {scale})"
        return f"round(CAST({e} AS DECIMAL(38, 12)), {scale}) = {actual}", actual
    if kind == "DateTime" and column.date_behaviour == "DateOnly":
        return f"CAST({e} AS DATE) = CAST({a} AS DATE)", a
    if kind == "DateTime":
        return f"epoch_us({e}) // 1000000 = epoch_us({a}) // 1000000", a
    if kind == "MultiSelectPicklist":
        return f"{_options(e)} = {_options(a)}", a
    if kind == "Uniqueidentifier":
        return f"{e} = {as_uuid(a)}", a
    equal = f"{trimmed(e)} = {trimmed(a)}"
    if (table.name, column.name) in _RICH or column.format == "RichText":
        equal = f"({equal} OR html_text({e}) = html_text({a}))"
    return equal, trimmed(a)


def scale_of(column: Column) -> int:
    """Decimals that the column keeps."""
    if column.precision is not None:
        return column.precision
    return _MONEY_SCALE if column.type == "Money" else _DECIMAL_SCALE


def trimmed(text: str) -> str:
    """The platform drops blanks at the end of a text and keeps no empty one; line ends count as one character."""
    return f"nullif(rtrim(replace(CAST({text} AS VARCHAR), chr(13) || chr(10), chr(10)), ' ' || chr(9) || chr(10)), '')"


def _options(text: str) -> str:
    return f"list_sort(list_distinct(list_transform(string_split({text}, ','), lambda x: CAST(x AS BIGINT))))"


def _empty_enough(column: Column, actual: str) -> str:
    """What a cell may show that a create left out."""
    if column.name in _FILLED or column.autonumber:
        return "TRUE"
    if column.default is not None:
        default = str(column.default).upper() if column.type == "Boolean" else str(int(column.default))
        return f"({actual} IS NULL OR {actual} = {default})"
    if column.type == "Boolean":
        return f"({actual} IS NULL OR {actual} = FALSE)"
    return f"{actual} IS NULL"


def compare_state(table: Table) -> Comparison:
    """Rows with a state step end in its state and status; the others stay in the table's default state."""
    wanted = " ".join(
        f"WHEN e._action = {literal(action)} THEN {state}"
        for (action, name), state in CLOSED_STATES.items()
        if name == table.name
    )
    state = f"coalesce(e._state, CASE {wanted} END)" if wanted else "e._state"
    default = table.states[0].value if table.states else 0
    closed = f"a.statecode = {state} AND (e._status IS NULL OR a.statuscode = e._status)"
    same = f"CASE WHEN e._action IS NULL THEN a.statecode = {default} ELSE coalesce({closed}, FALSE) END"
    return Comparison("(state)", "", same, f"{state} || '/' || e._status", "a.statecode || '/' || a.statuscode")


# (action of the send table, table) -> statecode it leads to. Source: Microsoft Learn, table references.
CLOSED_STATES = {
    ("win", "opportunity"): 1,
    ("lose", "opportunity"): 2,
    ("win", "quote"): 2,
    ("lose", "quote"): 3,
    ("fulfil", "salesorder"): 3,
    ("cancel", "salesorder"): 2,
}
# Parties that the platform keeps by itself: regarding (8) and owner (9). An appointment without an organizer (7) gets
# its owner as one.
_OWN_MASKS = "8, 9"
_ORGANIZER = 7


def compare_parties() -> Comparison:
    """Parties by mask and identity: the row, else the address. The platform may find the row behind an address."""
    key = "p.mask || ':' || coalesce(CAST(p.id AS VARCHAR), lower(trim(p.address)))"
    by_row = f"p.mask || ':' || coalesce(CAST({as_uuid('p.id')} AS VARCHAR), lower(trim(p.address)))"
    by_address = "p.mask || ':' || lower(trim(p.address))"
    sent = f"list_distinct(list_transform(coalesce(e._parties, []), lambda p: {key}))"
    organized = f"list_contains(list_transform(coalesce(e._parties, []), lambda s: s.mask), {_ORGANIZER})"
    counts = f"p.mask NOT IN ({_OWN_MASKS}) AND (p.mask <> {_ORGANIZER} OR {organized})"
    theirs = f"list_filter(a._parties, lambda p: {counts})"
    rows = f"list_transform({theirs}, lambda p: {by_row})"
    addresses = f"list_transform({theirs}, lambda p: {by_address})"
    everyone = f"list_has_all(list_concat({rows}, {addresses}), {sent})"
    nobody_else = f"len(list_distinct({rows})) = len({sent})"
    same = f"coalesce({everyone} AND {nobody_else}, FALSE)"
    shown = "array_to_string(list_sort({}), ' ')"
    return Comparison("(parties)", "", same, shown.format(sent), shown.format(rows))


def compare_content(column: str) -> Comparison:
    """Files by their sha256; `e._sha256` is NULL where the row has no file."""
    a = f"a.{quoted(column)}"
    return Comparison("(file)", "", f"e._sha256 IS NOT DISTINCT FROM {a}", "e._sha256", a)
