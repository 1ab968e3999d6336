"""Rows that are above or below rows of their own table: no row is its own ancestor.

Source: Microsoft Learn, "Web service error codes" (AccountLoopBeingCreated, SubjectLoopBeingCreated); the code for other
tables is not documented, InvalidArgument stands in for it.
"""

from collections.abc import Mapping

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.work import Change

# Table -> the lookup to the row above.
PARENTS: Mapping[str, str] = {
    "account": "parentaccountid",
    "contact": "parentcustomerid",
    "businessunit": "parentbusinessunitid",
    "incident": "parentcaseid",
    "product": "parentproductid",
    "subject": "parentsubject",
    "systemuser": "parentsystemuserid",
    "territory": "parentterritoryid",
}
_CODES = {"account": "0x80040507", "subject": "0x80043E01"}


def refuse_loop(change: Change) -> None:
    """Refuse a new parent that is the row itself or below it."""
    column, model = PARENTS[change.model.name], change.model
    if change.before is None or not isinstance(change.values.get(column), bytes):
        return
    sql = f"SELECT {quoted(column)} FROM {change.work.store.ensure(model)} WHERE {quoted(model.table.id_column)} = ?"
    above, seen = change.values[column], set[object]()
    while isinstance(above, bytes) and above not in seen:
        if above == change.id:
            code = _CODES.get(model.name, "0x80040203")
            plural = model.table.label_plural or model.name
            raise Refusal(400, code, f"Creating this parental association would create a loop in {plural} hierarchy.")
        seen.add(above)
        row = change.work.store.connection.execute(sql, (above,)).fetchone()
        above = row[0] if row else None
