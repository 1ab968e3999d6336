"""SQL that turns a typed relation into Web API JSON: one scalar expression a row, no Python object a row.

One `concat` of all names and values makes the text: no other form copies a value only once. It reads NULL as the empty text,
so a name is left out by a condition of its own; inside a lookup `||` makes all of it NULL when its target is, so that it can
never become `/accounts()`.
"""

from collections.abc import Mapping, Sequence

from flitstack.catalogue.types import Column, Table
from flitstack.destinations.faults import Fatal
from flitstack.destinations.port import Encoder

LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
_WHOLE = frozenset({"Integer", "BigInt", "Picklist", "State", "Status"})
_TEXT = frozenset({"String", "Memo", "MultiSelectPicklist", "EntityName"})

EntitySets = Mapping[str, str]  # logical name -> entity set name


def create_encoder(
    table: Table,
    columns: Sequence[str],
    entity_sets: EntitySets,
    party_navigation: Mapping[str, str],
    *,
    with_id: bool,
    nulls: bool,
    parties: bool,
) -> Encoder:
    """The encoder of `Destination.encoder`. Bodies are those of CreateMultiple.

    `party_navigation`: party table -> navigation property of activityparty. Fatal for a column the table does not have.
    """
    pieces: list[str] = []  # members, each with its comma before it
    if with_id:
        pieces += [text_literal(f',"{table.id_column}":"'), "CAST(_row AS VARCHAR)", "'\"'"]
    for name in columns:
        column = table.column(name)
        if column is None:
            raise Fatal(f"{table.name} has no column {name}")
        if column.type in LOOKUPS:
            pieces.append(f"',' || {_lookup(column, entity_sets, nulls=nulls)}")
        else:
            pieces += _value(column, nulls=nulls)
    if parties:
        pieces.append(f"',' || {_parties(table, entity_sets, party_navigation)}")
    if nulls:
        members = f"substr(concat({', '.join(pieces)}), 2)" if pieces else "''"
        return Encoder(f"concat('{{', {members}, '}},')", b'{"Targets":[', b"]}")
    start = text_literal(f'{{"@odata.type":"Microsoft.Dynamics.CRM.{table.name}"')
    return Encoder(f"concat({', '.join((start, *pieces))}, '}},')", b'{"Targets":[', b"]}")


def value_sql(column: Column) -> str:
    """SQL expression for the JSON text of a non-lookup column; NULL for NULL."""
    name = identifier(column.name)
    if column.type in _TEXT:
        return f"CAST(to_json(CAST({name} AS VARCHAR)) AS VARCHAR)"
    if column.type in _WHOLE:
        return f"CAST(CAST({name} AS BIGINT) AS VARCHAR)"
    if column.type == "Boolean":
        return f"CAST(CAST({name} AS BOOLEAN) AS VARCHAR)"
    if column.type in {"Money", "Decimal"}:
        return f"CAST({name} AS VARCHAR)"  # a DECIMAL prints plainly at its scale
    if column.type == "Double":
        # The shortest text that is this number; only what would print as 1e+22 goes through a DECIMAL.
        plain = f"rtrim(rtrim(CAST(CAST({name} AS DECIMAL(38, 10)) AS VARCHAR), '0'), '.')"
        return f"CASE WHEN contains(CAST({name} AS VARCHAR), 'e') THEN {plain} ELSE CAST({name} AS VARCHAR) END"
    if column.type == "Uniqueidentifier":
        return f"'\"' || CAST({name} AS VARCHAR) || '\"'"
    if column.type == "DateTime":
        return _date(name) if column.date_behaviour == "DateOnly" else _moment(name)
    raise Fatal(f"columns of type {column.type} cannot be written ({column.name})")


def _date(name: str) -> str:
    return f"'\"' || strftime(CAST({name} AS DATE), '%Y-%m-%d') || '\"'"


def _moment(name: str) -> str:
    """UTC with a Z, the fraction only where there is one; `epoch_us` does not look at the session's time zone."""
    moment = f"make_timestamp(epoch_us({name}))"
    fraction = f"CASE WHEN epoch_us({name}) % 1000000 = 0 THEN '' ELSE '.' || rtrim(strftime({moment}, '%f'), '0') END"
    return f"'\"' || strftime({moment}, '%Y-%m-%dT%H:%M:%S') || {fraction} || 'Z\"'"


def _value(column: Column, *, nulls: bool) -> tuple[str, str]:
    """Name and value of a member."""
    member, value = text_literal(f',"{column.name}":'), value_sql(column)
    if nulls:
        return member, f"coalesce({value}, 'null')"
    return f"if({identifier(column.name)} IS NULL, '', {member})", value


def navigation_of(column: Column) -> dict[str, str]:
    """Target table -> navigation property; the column's own name where metadata names none."""
    return {target: column.navigation.get(target, column.name) for target in column.targets or tuple(column.navigation)}


def _lookup(column: Column, entity_sets: EntitySets, *, nulls: bool) -> str:
    """A bind for each navigation property; at most one of them is not NULL. Cleared through the first one."""
    navigation = {t: n for t, n in navigation_of(column).items() if t in entity_sets}
    if not navigation:
        raise Fatal(f"no table that {column.name} points to is known")
    target, value = identifier(f"{column.name}__table"), f"CAST({identifier(column.name)} AS VARCHAR)"
    choices = " ".join(
        f"WHEN {text_literal(table)} THEN "
        + text_literal(f'"{nav}@odata.bind":"/{entity_sets[table]}(')
        + f" || {value} || ')\"'"
        for table, nav in navigation.items()
    )
    # A target that no WHEN names would leave the lookup out in silence.
    unknown = f"error('{column.name} points to a table it cannot hold: ' || coalesce({target}, 'nothing'))"
    chosen = f"CASE {target} {choices} ELSE {unknown} END"
    has_value = f"{identifier(column.name)} IS NOT NULL"
    cleared = text_literal(f'"{next(iter(navigation.values()))}@odata.bind":null') if nulls else "NULL"
    return f"CASE WHEN {has_value} THEN {chosen} ELSE {cleared} END"


def _parties(table: Table, entity_sets: EntitySets, navigation: Mapping[str, str]) -> str:
    binds = " ".join(
        f"WHEN {text_literal(target)} THEN "
        + text_literal(f'"{nav}@odata.bind":"/{entity_sets[target]}(')
        + " || CAST(p.id AS VARCHAR) || ')\"'"
        for target, nav in navigation.items()
        if target in entity_sets
    )
    unknown = "error('no party can be a ' || coalesce(p.\"table\", 'nothing'))"
    bind = f'CASE WHEN p.id IS NOT NULL THEN CASE p."table" {binds} ELSE {unknown} END END'
    mask = "'\"participationtypemask\":' || CAST(p.mask AS VARCHAR)"
    address = "'\"addressused\":' || CAST(to_json(p.address) AS VARCHAR)"
    one = f"'{{' || concat_ws(',', {bind}, {mask}, {address}) || '}}'"
    listed = f"array_to_string(list_transform(_parties, lambda p: {one}), ',')"
    member = text_literal(f'"{table.name}_activity_parties":[')
    return f"CASE WHEN len(_parties) > 0 THEN {member} || {listed} || ']' END"


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A quoted SQL string."""
    return "'" + text.replace("'", "''") + "'"
