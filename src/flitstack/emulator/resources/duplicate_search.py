"""RetrieveDuplicates: the rows that are like one that is not stored.

Source: Microsoft Learn, "Detect duplicate data using the Web API".
"""

from collections.abc import Callable

import orjson

from flitstack.emulator.answers import json_answer
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.paths import Segment
from flitstack.emulator.query.options import Options
from flitstack.emulator.resources.row_answers import context, reader
from flitstack.emulator.rows.duplicates import duplicates, read_rules
from flitstack.emulator.rows.payload import parser
from flitstack.emulator.work import Work

_TYPE = "Microsoft.Dynamics.CRM."


def retrieve_duplicates(work: Work, request: Request, segment: Segment) -> Answer:
    """200 with the rows of the same table that a rule finds; parameters come as aliases of the URL."""
    given = dict(part.partition("=")[::2] for part in (segment.arguments or "").split(","))
    body = _parameter(request, given, "BusinessEntity")
    name = _parameter(request, given, "MatchingEntityName")
    if not isinstance(body, dict) or not isinstance(name, str):
        raise Refusal(400, "0x80040203", "RetrieveDuplicates needs BusinessEntity and MatchingEntityName.")
    kind = str(body.pop("@odata.type", "")).lstrip("#").removeprefix(_TYPE)
    model = work.store.schema.tables.get(kind)
    if model is None or name != kind:
        raise Refusal(400, "0x80048416", "The record type does not match the matching record type of a duplicate rule.")
    values = parser(work.store, model, is_create=True).parse(body, {}).values
    own = values.get(model.table.id_column)
    ids = {
        id_: None
        for rule in read_rules(work.store, model.name)
        for id_ in duplicates(work, model, rule, values, own if isinstance(own, bytes) else None)
    }
    found = [reader(work, request).row(model, id_, Options()) for id_ in ids]
    rows = [row for row, _ in filter(None, found)]
    return json_answer({"@odata.context": context(request, model.table.entity_set), "value": rows})


def _parameter(request: Request, given: dict[str, str], name: str) -> object:
    text = given.get(name, "").strip()
    text = request.query.get(text, "") if text.startswith("@") else text
    if text[:1] == text[-1:] == "'":
        return text[1:-1]
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "0x80040203", f"The parameter '{name}' is missing.") from error


FUNCTIONS: dict[str, Callable[[Work, Request, Segment], Answer]] = {"RetrieveDuplicates": retrieve_duplicates}
