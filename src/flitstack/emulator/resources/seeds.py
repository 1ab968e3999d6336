"""The next number of an autonumber column, read and set.

Source: Microsoft Learn, "Create auto-number columns": SetAutoNumberSeed, GetAutoNumberSeed, GetNextAutoNumberValue.
"""

from collections.abc import Callable

from flitstack.emulator.answers import json_answer, no_content
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.paths import Segment, split_outside
from flitstack.emulator.resources.row_answers import context
from flitstack.emulator.rows.autonumber import FIRST, numbered_columns, seed_name
from flitstack.emulator.rows.payload import read_object
from flitstack.emulator.work import Work


def set_seed(work: Work, request: Request, segment: Segment) -> Answer:
    """204; the next row gets exactly this number."""
    if request.method != "POST":
        raise Refusal(404, "", "No HTTP resource was found that matches the request URI.")
    body = read_object(request.body)
    value = body.get("Value")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Refusal(400, "0x80040203", f"'{value}' is no seed.")
    work.store.set_counter(_named(work, body.get("EntityName"), body.get("AttributeName")), value)
    return no_content()


def _reader(answer: str, member: str) -> Callable[[Work, Request, Segment], Answer]:
    def read(work: Work, request: Request, segment: Segment) -> Answer:
        given = {}
        for item in split_outside(segment.arguments or "", ","):
            name, _, value = item.strip().partition("=")
            given[name] = (request.query.get(value, "") if value.startswith("@") else value).strip("'")
        seed = work.store.counter(_named(work, given.get("EntityName"), given.get("AttributeName")))
        name = f"Microsoft.Dynamics.CRM.{answer}"
        return json_answer({"@odata.context": context(request, name), member: int(str(seed or FIRST))})

    return read


def _named(work: Work, table: object, column: object) -> str:
    model = work.store.schema.tables.get(str(table))
    if model is None:
        raise Refusal(404, "0x8004024A", f"Could not find an entity with name {table}.")
    if column not in numbered_columns(model):
        raise Refusal(400, "0x80040203", f"'{table}.{column}' is no auto-number column.")
    return seed_name(model.name, str(column))


ACTIONS = {"SetAutoNumberSeed": set_seed}
FUNCTIONS = {
    "GetAutoNumberSeed": _reader("GetAutoNumberSeedResponse", "AutoNumberSeedValue"),
    "GetNextAutoNumberValue": _reader("GetNextAutoNumberValueResponse", "NextAutoNumberValue"),
}
