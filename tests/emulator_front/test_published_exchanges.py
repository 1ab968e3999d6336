"""The golden exchanges of tests/wire, played against the emulator: the same public examples judge client and server."""

import re
from typing import Any

import orjson
from front_wire import API, Reply, Wire
from wire.golden import Exchange, read_exchanges

BOUNDARY = "batch_golden"
EARLIER = "00000000-0000-8000-8000-00000000000{}"


def play(wire: Wire, exchange: Exchange) -> Reply:
    """Sends the request of an exchange as it stands."""
    method, path = exchange.request.line.split(" ", 1)
    body = exchange.request.body.replace("{url}", wire.url).replace("{boundary}", BOUNDARY)
    headers = {name: value.replace("{boundary}", BOUNDARY) for name, value in exchange.request.headers.items()}
    if path.endswith("$batch"):
        headers.setdefault("content-type", f"multipart/mixed; boundary={BOUNDARY}")
        body += "\n"
    return wire.send(method, path, body.encode() or None, {name.title(): value for name, value in headers.items()})


def status_of(exchange: Exchange) -> int:
    return int(exchange.answer.line.split()[0])


def parts(text: str) -> list[str]:
    return re.findall(r"HTTP/1\.1 (\d{3})", text)


def errors(text: str) -> list[str]:
    return re.findall(r'\{"error".*\}', text)


def make(wire: Wire, entity_set: str, number: int, **columns: Any) -> None:
    name = {"tasks": "activityid", "emails": "activityid"}.get(entity_set, f"{entity_set[:-1]}id")
    body = {("opportunityid" if entity_set == "opportunities" else name): EARLIER.format(number), **columns}
    reply = wire.post(entity_set, body)
    assert reply.status == 204, reply.body


def test_bulk_creates_answer_the_ids_in_order(wire: Wire) -> None:
    (exchange,) = read_exchanges("create_multiple")
    reply = play(wire, exchange)
    assert reply.status == status_of(exchange)
    assert reply.json() == orjson.loads(exchange.answer.body.replace("{url}", wire.url))
    assert reply.headers["content-type"].startswith("application/json; odata.metadata=minimal")


def test_rows_that_exist_are_found_by_the_in_function(wire: Wire) -> None:
    make(wire, "accounts", 2, name="there")
    (exchange,) = read_exchanges("existing")
    found = play(wire, exchange).json()
    expected = orjson.loads(exchange.answer.body.replace("{url}", wire.url))
    assert found["@odata.context"] == expected["@odata.context"]
    assert [row["accountid"] for row in found["value"]] == [row["accountid"] for row in expected["value"]]


def test_a_batch_goes_on_after_an_error(wire: Wire) -> None:
    make(wire, "tasks", 2, subject="second")
    make(wire, "tasks", 3, subject="third")
    (exchange,) = read_exchanges("batch")
    long = exchange.request.body.replace("Task 2 in batch", "x" * 201)
    reply = wire.send(
        "POST",
        f"{API}$batch",
        (long.replace("{boundary}", BOUNDARY) + "\n").encode(),
        {"Content-Type": f'multipart/mixed; boundary="{BOUNDARY}"', "Prefer": "odata.continue-on-error"},
    )
    answered = reply.body.decode()
    assert reply.status == status_of(exchange)
    assert parts(answered) == parts(exchange.answer.body)
    assert errors(answered) == errors(exchange.answer.body)
    assert answered.startswith("--batchresponse_")


def test_a_batch_stops_at_the_first_error(wire: Wire) -> None:
    (exchange,) = read_exchanges("batch_stopped")
    too_long = Exchange(
        type(exchange.request)(
            exchange.request.line, exchange.request.headers, exchange.request.body.replace("too long", "x" * 201)
        ),
        exchange.answer,
    )
    reply = play(wire, too_long)
    assert reply.status == status_of(exchange)
    assert parts(reply.body.decode()) == parts(exchange.answer.body)
    assert errors(reply.body.decode()) == errors(exchange.answer.body)


def test_rows_are_closed_as_the_published_messages_say(wire: Wire) -> None:
    for number in (1, 2):
        make(wire, "opportunities", number, name="deal")
    make(wire, "tasks", 3, subject="done")
    make(wire, "emails", 4, subject="sent")
    make(wire, "contacts", 6, lastname="Party")
    make(wire, "lists", 5, listname="people", createdfromcode=2, type=False)
    (exchange,) = read_exchanges("closing")
    reply = play(wire, exchange)
    assert reply.status == status_of(exchange)
    assert parts(reply.body.decode()) == parts(exchange.answer.body)[: len(parts(reply.body.decode()))]
    won = wire.get(f"opportunities({EARLIER.format(1)})?$select=statecode,statuscode,actualvalue")
    assert (won["statecode"], won["statuscode"], won["actualvalue"]) == (1, 3, 1000.5)


def test_a_key_becomes_active(wire: Wire) -> None:
    column = {
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "cr1_sourcekey",
        "DisplayName": {"LocalizedLabels": [{"Label": "Key", "LanguageCode": 1033}]}, "MaxLength": 100,
    }  # fmt: skip
    wire.post("EntityDefinitions(LogicalName='account')/Attributes", column)
    empty, made, _pending, active = read_exchanges("key")
    assert play(wire, empty).json()["value"] == []
    reply = play(wire, made)
    assert reply.status == status_of(made)
    assert re.fullmatch(
        r".*/EntityDefinitions\(LogicalName='account'\)/Keys\([0-9a-f-]{36}\)", reply.headers["odata-entityid"]
    )
    (key,) = play(wire, active).json()["value"]
    (expected,) = orjson.loads(active.answer.body)["value"]
    assert key["EntityKeyIndexStatus"] == expected["EntityKeyIndexStatus"]
    assert key["KeyAttributes"] == expected["KeyAttributes"]
