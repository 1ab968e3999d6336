"""Rows made from rows: what an opportunity hands to a quote, a quote to an order, a lead to a contact.

The platform copies by attribute maps, which an environment may change; the emulator copies columns of the same name
and type. Source: Microsoft Learn, "Map table columns".
"""

from collections.abc import Mapping

from flitstack.catalogue.types import Column
from flitstack.emulator.ddl import is_polymorphic, type_column
from flitstack.emulator.rows.payload import Draft
from flitstack.emulator.rows.write import insert_drafts
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Values, Work

# Columns of the row itself, not of what it is about.
_OWN = frozenset(
    {
        "ownerid", "statecode", "statuscode", "overriddencreatedon", "importsequencenumber", "processid", "stageid",
        "traversedpath", "stepid", "stepname", "slaid", "timezoneruleversionnumber", "utcconversiontimezonecode",
        "entityimage", "originatingleadid", "masterid", "skippricecalculation", "pricingerrorcode", "closedon",
        "quotecreationmethod", "ordercreationmethod", "parentbundleid", "parentbundleidref", "productassociationid",
    }
)  # fmt: skip


def copied(source: EntityModel, row: Mapping[str, object], target: EntityModel, leave: frozenset[str]) -> Values:
    """The values of a new row of `target`: writable columns that both tables have, without what `leave` names."""
    values: Values = {}
    for name, column in target.stored.items():
        if name in _OWN or name in leave or name == target.table.id_column or not column.creatable:
            continue
        if name in source.stored and row.get(name) is not None:
            _put(values, column, row, source.stored[name])
    return values


def _put(values: Values, column: Column, row: Mapping[str, object], origin: Column) -> None:
    value = row[column.name]
    if not isinstance(value, (str, int, float, bytes)) or column.type != origin.type:
        return
    if column.targets:
        kind = row[type_column(origin.name)] if is_polymorphic(origin) else origin.targets[0]
        if not isinstance(kind, str) or kind not in column.targets:
            return
        if is_polymorphic(column):
            values[type_column(column.name)] = kind
    elif isinstance(value, str) and column.max_length is not None:
        value = value[: column.max_length]
    elif column.options and value not in {option.value for option in column.options}:
        return
    values[column.name] = value


def insert(work: Work, target: EntityModel, values: Values) -> bytes:
    """Insert one row with everything that rules add to it; its id."""
    return insert_drafts(work, target, [Draft(values)])[0]
