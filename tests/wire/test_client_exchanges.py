"""The client says what Microsoft's documentation shows, and understands what it shows in return."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from wire.golden import EXCHANGES, playing, read_exchanges

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.destinations.dataverse.schema import SchemaWriter
from flitstack.destinations.dataverse.tokens import ClientCredentials
from flitstack.destinations.faults import Refused, Throttled
from flitstack.destinations.port import Call

CATALOGUE = load_catalogue()
ACCOUNT, CONTACT = CATALOGUE.tables["account"], CATALOGUE.tables["contact"]
IDS = [UUID(int=n | 0x8000 << 64 | 0x8000 << 48) for n in range(10)]


def play(name: str, check: Any) -> Any:
    async def whole() -> Any:
        async with playing(name) as wire:
            destination = DataverseDestination(Client(wire.url), CATALOGUE)
            try:
                return await check(destination)
            finally:
                await destination.close()

    return asyncio.run(whole())


def test_create_multiple() -> None:
    texts = [
        f'{{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{IDS[n]}","name":"sample record 000000{n}"}}'
        for n in (1, 2)
    ]
    body = b'{"Targets":[', ",".join(texts).encode(), b"]}"
    play("create_multiple", lambda d: d.create_rows(ACCOUNT, body, 2))


def test_a_batch_that_goes_on_after_an_error() -> None:
    calls = [
        Call("create", "task", IDS[1], b'{"subject":"Task 1 in batch"}'),
        Call("update", "task", IDS[2], b'{"subject":"Task 2 in batch"}'),
        Call("delete", "task", IDS[3]),
    ]
    done = play("batch", lambda d: d.batch(calls, continue_on_error=True))
    assert [(d.refusal.code, d.refusal.status) if d.refusal else None for d in done] == [
        None,
        ("0x80044331", 400),
        None,
    ]


def test_a_batch_that_stops_at_the_first_error() -> None:
    calls = [
        Call("create", "task", IDS[1], b'{"subject":"too long"}'),
        Call("create", "task", IDS[2], b'{"subject":"never reached"}'),
    ]
    [done] = play("batch_stopped", lambda d: d.batch(calls, continue_on_error=False))
    assert done.refusal.code == "0x80044331"


def test_closing_states_parties_and_links() -> None:
    bind = f'"partyid_contact@odata.bind":"/contacts({IDS[6]})"'
    party = f'{{"email_activity_parties":[{{{bind},"participationtypemask":2}}]}}'.encode()
    won = b'{"status":3,"at":"2026-01-31T10:00:00Z","value":1000.5,"subject":"Won Opportunity"}'
    collection = "listcontact_association"
    calls = [
        Call("win", "opportunity", IDS[1], won),
        Call("lose", "opportunity", IDS[2], b'{"status":4}'),
        Call("state", "task", IDS[3], b'{"state":1,"status":5}'),
        Call("parties", "email", IDS[4], party),
        Call("associate", "list", IDS[5], relationship=collection, target=IDS[6], target_table="contact"),
    ]
    assert len(play("closing", lambda d: d.batch(calls, continue_on_error=False))) == 5


def test_pages_are_followed_by_their_next_link() -> None:
    async def check(destination: DataverseDestination) -> list[pa.RecordBatch]:
        return [batch async for batch in destination.rows(CONTACT, ["firstname", "parentcustomerid"])]

    rows = [row for batch in play("paging", check) for row in batch.to_pylist()]
    assert rows == [
        {
            "_row": IDS[1].bytes,
            "firstname": "Ana",
            "parentcustomerid": IDS[9].bytes,
            "parentcustomerid__table": "account",
        },
        {"_row": IDS[2].bytes, "firstname": None, "parentcustomerid": None, "parentcustomerid__table": None},
    ]


def test_throttling_tells_the_seconds_to_wait() -> None:
    with pytest.raises(Throttled, match="0x80072322") as caught:
        play("throttled", lambda d: d.create_rows(ACCOUNT, (b'{"Targets":[]}',), 0))
    assert caught.value.retry_after_s == 17


def test_a_duplicate_is_refused_with_its_code() -> None:
    with pytest.raises(Refused) as caught:
        play("duplicate", lambda d: d.create_rows(ACCOUNT, (b'{"Targets":[]}',), 0))
    assert (caught.value.refusal.code, caught.value.refusal.status) == ("0x80040237", 412)


def test_existence_is_asked_by_id() -> None:
    assert play("existing", lambda d: d.existing(ACCOUNT, IDS[1:3])) == {IDS[2]}


def test_a_refused_token_is_renewed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_APP", "s&cret")

    async def whole() -> bytes:
        async with playing("token") as wire:
            tokens = ClientCredentials(
                f"{wire.url}/tenant/oauth2/v2.0/token", "app", "SECRET_OF_APP", "https://org.crm4.dynamics.com/.default"
            )
            client = Client(wire.url, tokens)
            try:
                return (await client.get("WhoAmI")).body
            finally:
                await client.close()

    assert b"UserId" in asyncio.run(whole())


def test_a_key_is_done_when_its_index_is_active() -> None:
    waits: list[float] = []

    async def no_wait(seconds: float) -> None:
        waits.append(seconds)

    async def whole() -> None:
        async with playing("key") as wire:
            client = Client(wire.url)
            operation = {"kind": "add_key", "table": "account", "name": "cr1_key", "columns": ["cr1_sourcekey"]}
            try:
                await SchemaWriter(client, 1033, no_wait).apply(operation)
            finally:
                await client.close()

    asyncio.run(whole())
    assert len(waits) == 1


def test_a_column_becomes_wider_by_its_whole_definition_and_only_once() -> None:
    async def whole() -> None:
        async with playing("widen") as wire:
            client = Client(wire.url)
            names = {"table": "account", "name": "cr1_code", "type": "String"}
            try:
                for _ in range(2):
                    await SchemaWriter(client, 1033).apply({"kind": "widen_column", **names, "length": 400})
            finally:
                await client.close()

    asyncio.run(whole())


@pytest.mark.parametrize("path", sorted(EXCHANGES.glob("*.txt")), ids=lambda path: path.stem)
def test_every_exchange_names_its_public_source(path: Path) -> None:
    assert read_exchanges(path.stem)
