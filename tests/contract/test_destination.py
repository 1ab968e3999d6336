"""What every destination does alike: the port's promises, asked of each implementation."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb
import orjson
import pyarrow as pa
import pytest
from destinations.send_rows import PARTY, arrow_type

from flitstack.app.emulators import call
from flitstack.catalogue.types import Table
from flitstack.destinations.dataverse.encoding import LOOKUPS
from flitstack.destinations.faults import Refused
from flitstack.destinations.port import Call, Destination

PREFIX = "cr1"


def new_id() -> UUID:
    return UUID(bytes=os.urandom(6) + b"\x80\x00\x80\x00" + os.urandom(6))


async def live(destination: Destination, name: str) -> Table:
    table = await destination.table(name)
    assert table is not None
    return table


def texts(
    destination: Destination, table: Table, rows: Sequence[dict[str, Any]], *, update: bool = False
) -> list[bytes]:
    """The rows' body texts. A row: `_row`, columns, lookups as (table, id), `_parties` as list of dicts."""
    columns = [name for name in rows[0] if not name.startswith("_")]
    parties = "_parties" in rows[0]
    arrays: dict[str, pa.Array] = {"_row": pa.array([str(row["_row"]) for row in rows])}
    ids = ["_row"]
    for name in columns:
        column, values = table.columns[name], [row[name] for row in rows]
        if column.type in LOOKUPS:
            ids.append(name)
            arrays[name] = pa.array([str(v[1]) if v else None for v in values], pa.string())
            arrays[f"{name}__table"] = pa.array([v[0] if v else None for v in values], pa.string())
        else:
            arrays[name] = pa.array(values, arrow_type(column))
    if parties:
        arrays["_parties"] = pa.array([row["_parties"] for row in rows], pa.list_(PARTY))
    encoder = destination.encoder(table, columns, with_id=not update, nulls=update, parties=parties)
    typed = ", ".join(f'CAST("{name}" AS UUID) AS "{name}"' for name in ids)
    with duckdb.connect() as connection:
        connection.register("plain", pa.table(arrays))
        found = connection.sql(f"SELECT {encoder.sql} FROM (SELECT * REPLACE ({typed}) FROM plain)").fetchall()
    return [text.removesuffix(",").encode() for (text,) in found]


async def create(destination: Destination, name: str, *rows: dict[str, Any]) -> None:
    """One bulk create."""
    table = await live(destination, name)
    columns = [column for column in rows[0] if not column.startswith("_")]
    encoder = destination.encoder(table, columns, with_id=True, nulls=False, parties=False)
    body = encoder.head, b",".join(texts(destination, table, rows)), encoder.tail
    await destination.create_rows(table, body, len(rows))


async def read(destination: Destination, name: str, columns: list[str], *ids: UUID) -> dict[UUID, dict[str, Any]]:
    table = await live(destination, name)
    found: dict[UUID, dict[str, Any]] = {}
    async for batch in destination.rows(table, columns, ids=list(ids)):
        for row in batch.to_pylist():
            found[UUID(bytes=row.pop("_row"))] = row
    return found


async def one_call(destination: Destination, call: Call) -> str:
    """The code of the refusal, or an empty text."""
    [done] = await destination.batch([call], continue_on_error=True)
    return done.refusal.code if done.refusal else ""


def test_facts_name_the_caller_and_the_base_currency(run: Any) -> None:
    facts = run(lambda d: d.facts())
    assert facts.is_emulator
    assert facts.base_currency == "USD"
    assert facts.user_id in {user.id for user in facts.users}
    assert "exe" in facts.blocked_extensions
    assert facts.max_upload_bytes == 5_242_880


def test_a_table_nobody_made_is_none(run: Any) -> None:
    assert run(lambda d: d.table("x_nothing")) is None


def test_live_metadata_has_what_the_catalogue_knows(run: Any) -> None:
    async def check(destination: Destination) -> None:
        contact = await live(destination, "contact")
        assert (contact.entity_set, contact.id_column, contact.name_column) == ("contacts", "contactid", "fullname")
        assert contact.is_customizable
        assert contact.columns["firstname"].max_length == 50
        assert contact.columns["firstname"].type == "String"
        assert contact.columns["parentcustomerid"].navigation["account"] == "parentcustomerid_account"
        assert {o.value for o in contact.columns["gendercode"].options} == {1, 2}
        assert contact.columns["birthdate"].date_behaviour == "DateOnly"
        lead = await live(destination, "lead")
        assert next(s.value for s in lead.states) == 0
        assert {s.value: s.default_status for s in lead.states} == {0: 1, 1: 3, 2: 4}
        assert lead.columns["revenue"].type == "Money"
        task = await live(destination, "task")
        assert task.columns["regardingobjectid"].navigation["account"] == "regardingobjectid_account_task"

    run(check)


def test_values_come_back_typed_as_they_were_sent(run: Any) -> None:
    async def check(destination: Destination) -> None:
        account, contact, deal, task = new_id(), new_id(), new_id(), new_id()
        await create(destination, "account", {"_row": account, "name": 'Quote " and \\ and\nline é 😀'})
        sent = {
            "_row": contact,
            "firstname": "Ana",
            "lastname": None,
            "birthdate": date(1980, 2, 29),
            "gendercode": 2,
            "donotemail": True,
            "parentcustomerid": ("account", account),
            "overriddencreatedon": datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC),
        }
        await create(destination, "contact", sent)
        money = {
            "_row": deal,
            "name": "Deal",
            "estimatedvalue": Decimal("1234567.89"),
            "customerid": ("contact", contact),
        }
        await create(destination, "opportunity", money)
        when = datetime(2026, 1, 31, 10, 0, 5, tzinfo=UTC)
        await create(destination, "task", {"_row": task, "subject": "Call", "scheduledend": when})

        name = (await read(destination, "account", ["name"], account))[account]["name"]
        assert name == 'Quote " and \\ and\nline é 😀'
        columns = ["firstname", "lastname", "birthdate", "gendercode", "donotemail", "parentcustomerid", "createdon"]
        assert (await read(destination, "contact", columns, contact))[contact] == {
            "firstname": "Ana",
            "lastname": None,
            "birthdate": date(1980, 2, 29),
            "gendercode": 2,
            "donotemail": True,
            "parentcustomerid": account.bytes,
            "parentcustomerid__table": "account",
            "createdon": datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC),
        }
        found = (await read(destination, "opportunity", ["estimatedvalue", "customerid", "statecode"], deal))[deal]
        assert Decimal(found["estimatedvalue"]) == Decimal("1234567.89")
        assert (found["customerid__table"], found["statecode"]) == ("contact", 0)
        assert (await read(destination, "task", ["scheduledend"], task))[task]["scheduledend"] == when

    run(check)


def test_a_bulk_create_lands_whole_or_not_at_all(run: Any) -> None:
    async def check(destination: Destination) -> None:
        good, bad = new_id(), new_id()
        with pytest.raises(Refused, match="0x80044331"):
            await create(destination, "contact", {"_row": good, "firstname": "A"}, {"_row": bad, "firstname": "A" * 51})
        contact = await live(destination, "contact")
        assert await destination.existing(contact, [good, bad]) == set()

    run(check)


def test_sending_an_id_twice_is_refused_as_a_duplicate(run: Any) -> None:
    async def check(destination: Destination) -> None:
        row = new_id()
        await create(destination, "contact", {"_row": row, "firstname": "A"})
        with pytest.raises(Refused, match="0x80040237") as caught:
            await create(destination, "contact", {"_row": row, "firstname": "A"})
        assert caught.value.refusal.status == 412
        assert await one_call_create(destination, row) == "0x80040237"

    run(check)


async def one_call_create(destination: Destination, row: UUID) -> str:
    table = await live(destination, "contact")
    [text] = texts(destination, table, [{"_row": row, "firstname": "A"}])
    return await one_call(destination, Call("create", "contact", row, text))


def test_existing_names_only_the_rows_that_are_there(run: Any) -> None:
    async def check(destination: Destination) -> None:
        there = [new_id() for _ in range(450)]
        await create(destination, "account", *({"_row": row, "name": "x"} for row in there))
        account = await live(destination, "account")
        assert await destination.existing(account, [*there, *(new_id() for _ in range(450))]) == set(there)
        assert await destination.existing(account, []) == set()

    run(check)


def test_a_batch_goes_on_after_an_error_only_when_told(run: Any) -> None:
    async def check(destination: Destination) -> None:
        contact = await live(destination, "contact")
        for go_on in (True, False):
            ids = [new_id() for _ in range(3)]
            rows: list[dict[str, Any]] = [
                {"_row": ids[0], "firstname": "A"},
                {"_row": ids[1], "firstname": "B" * 51},
                {"_row": ids[2], "firstname": "C"},
            ]
            calls = [
                Call("create", "contact", row["_row"], text)
                for row, text in zip(rows, texts(destination, contact, rows), strict=True)
            ]
            codes = [
                d.refusal.code if d.refusal else "" for d in await destination.batch(calls, continue_on_error=go_on)
            ]
            assert codes == (["", "0x80044331", ""] if go_on else ["", "0x80044331"])
            assert await destination.existing(contact, ids) == ({ids[0], ids[2]} if go_on else {ids[0]})

    run(check)


def test_an_update_changes_clears_and_never_creates(run: Any) -> None:
    async def check(destination: Destination) -> None:
        account, contact = new_id(), new_id()
        await create(destination, "account", {"_row": account, "name": "x"})
        row = {"_row": contact, "firstname": "A", "lastname": "B", "parentcustomerid": ("account", account)}
        await create(destination, "contact", row)
        table = await live(destination, "contact")
        change = {"_row": contact, "firstname": "C", "lastname": None, "parentcustomerid": None}
        [text] = texts(destination, table, [change], update=True)
        assert await one_call(destination, Call("update", "contact", contact, text)) == ""
        assert (await read(destination, "contact", ["firstname", "lastname", "parentcustomerid"], contact))[
            contact
        ] == {
            "firstname": "C",
            "lastname": None,
            "parentcustomerid": None,
            "parentcustomerid__table": None,
        }
        missing = new_id()
        assert await one_call(destination, Call("update", "contact", missing, text)) == "0x80040217"
        assert await destination.existing(table, [missing]) == set()

    run(check)


def test_a_bulk_update_changes_every_row_or_none(run: Any) -> None:
    async def check(destination: Destination) -> None:
        account, ids = new_id(), [new_id() for _ in range(3)]
        await create(destination, "account", {"_row": account, "name": "x"})
        await create(destination, "contact", *({"_row": i, "firstname": "A", "lastname": "B"} for i in ids))
        table = await live(destination, "contact")
        changed = [
            {"_row": i, "firstname": None, "lastname": "C", "parentcustomerid": ("account", account)} for i in ids
        ]
        await destination.update_rows(
            table, list(zip(ids, texts(destination, table, changed, update=True), strict=True))
        )
        columns = ["firstname", "lastname", "parentcustomerid"]
        wanted = {
            "firstname": None,
            "lastname": "C",
            "parentcustomerid": account.bytes,
            "parentcustomerid__table": "account",
        }
        assert await read(destination, "contact", columns, *ids) == dict.fromkeys(ids, wanted)
        bad = [{"_row": i, "lastname": "D" if i != ids[2] else "x" * 60} for i in ids]
        for rows in (bad, [{"_row": new_id(), "lastname": "D"}, {"_row": ids[0], "lastname": "D"}]):
            sent = texts(destination, table, rows, update=True)
            with pytest.raises(Refused):
                await destination.update_rows(
                    table, [(row["_row"], text) for row, text in zip(rows, sent, strict=True)]
                )
        assert await read(destination, "contact", columns, *ids) == dict.fromkeys(ids, wanted)

    run(check)


def test_a_deleted_row_is_gone_and_cannot_be_deleted_again(run: Any) -> None:
    async def check(destination: Destination) -> None:
        row = new_id()
        await create(destination, "account", {"_row": row, "name": "x"})
        assert await one_call(destination, Call("delete", "account", row)) == ""
        assert await one_call(destination, Call("delete", "account", row)) == "0x80040217"
        assert await destination.existing(await live(destination, "account"), [row]) == set()

    run(check)


def test_deals_are_won_lost_and_reopened(run: Any) -> None:
    async def check(destination: Destination) -> None:
        won, lost = new_id(), new_id()
        await create(destination, "opportunity", {"_row": won, "name": "w"}, {"_row": lost, "name": "l"})
        closing = orjson.dumps({"status": 3, "at": "2026-01-31T10:00:00Z", "value": 12.5, "subject": "Won"})
        assert await one_call(destination, Call("win", "opportunity", won, closing)) == ""
        assert await one_call(destination, Call("win", "opportunity", won, closing)) == "0x80040515"
        assert await one_call(destination, Call("lose", "opportunity", lost, b'{"status":4}')) == ""
        found = await read(destination, "opportunity", ["statecode", "statuscode", "actualclosedate"], won, lost)
        assert found[won] == {"statecode": 1, "statuscode": 3, "actualclosedate": date(2026, 1, 31)}
        assert (found[lost]["statecode"], found[lost]["statuscode"]) == (2, 4)
        assert await one_call(destination, Call("state", "opportunity", won, b'{"state":0,"status":1}')) == ""
        assert (await read(destination, "opportunity", ["statecode"], won))[won] == {"statecode": 0}

    run(check)


def test_a_state_takes_only_its_own_status_reasons(run: Any) -> None:
    async def check(destination: Destination) -> None:
        task = new_id()
        await create(destination, "task", {"_row": task, "subject": "x"})
        assert await one_call(destination, Call("state", "task", task, b'{"state":1,"status":2}')) == "0x80048408"
        assert await one_call(destination, Call("state", "task", task, b'{"state":1,"status":5}')) == ""
        assert (await read(destination, "task", ["statecode", "statuscode"], task))[task] == {
            "statecode": 1,
            "statuscode": 5,
        }

    run(check)


def test_parties_travel_with_a_create_and_can_be_replaced(run: Any) -> None:
    async def check(destination: Destination) -> None:
        contact, mail, me = new_id(), new_id(), (await destination.facts()).user_id
        await create(destination, "contact", {"_row": contact, "firstname": "A"})
        email = await live(destination, "email")
        parties = [
            {"mask": 1, "table": "systemuser", "id": str(me), "address": None},
            {"mask": 2, "table": "contact", "id": str(contact), "address": None},
            {"mask": 3, "table": None, "id": None, "address": "odd@b.example"},
        ]
        [text] = texts(destination, email, [{"_row": mail, "subject": "Hi", "_parties": parties}])
        assert await one_call(destination, Call("create", "email", mail, text)) == ""
        assert await parties_of(destination, mail) == {(1, me, None), (2, contact, None), (3, None, "odd@b.example")}
        [text] = texts(destination, email, [{"_row": mail, "_parties": parties[:2]}])
        assert await one_call(destination, Call("parties", "email", mail, text)) == ""
        assert await parties_of(destination, mail) == {(1, me, None), (2, contact, None)}

    run(check)


async def parties_of(destination: Destination, mail: UUID) -> set[tuple[int, UUID | None, str | None]]:
    """Sender, receivers; not the owner's and regarding parties, which a platform adds by itself."""
    [row] = (await read(destination, "email", ["_parties"], mail)).values()
    return {
        (p["mask"], UUID(bytes=p["id"]) if p["id"] else None, None if p["id"] else p["address"])
        for p in row["_parties"]
        if p["mask"] <= 4
    }


def test_a_note_keeps_its_file(run: Any) -> None:
    async def check(destination: Destination) -> None:
        note, content = new_id(), bytes(range(256)) * 8
        await create(destination, "annotation", {"_row": note, "subject": "File"})
        annotation = await live(destination, "annotation")
        await destination.attach(annotation, note, "a.bin", "application/octet-stream", content)
        found = (await read(destination, "annotation", ["documentbody", "filename", "filesize"], note))[note]
        assert duckdb.execute("SELECT from_base64(?)", [found["documentbody"]]).fetchone() == (content,)
        assert (found["filename"], found["filesize"]) == ("a.bin", len(content))

    run(check)


@pytest.fixture
def larger_uploads(request: pytest.FixtureRequest, run: Any) -> Iterator[None]:
    """An organization whose administrator allows more than the 5 MB of the start."""
    if request.node.callspec.params["run"] == "memory":
        yield
        return
    url = request.getfixturevalue("emulator_url")
    call(url, "organization", {"maxuploadfilesize": 8 << 20})
    yield
    call(url, "organization", {"maxuploadfilesize": 5 << 20})


@pytest.mark.usefixtures("larger_uploads")
def test_an_attachment_too_large_for_a_block_keeps_its_file(run: Any) -> None:
    async def check(destination: Destination) -> None:
        mail, row, content = new_id(), new_id(), bytes(range(256)) * 17 * 1024  # 4.25 MiB, above a block
        await create(destination, "email", {"_row": mail, "subject": "Hi"})
        values = {"_row": row, "objectid": ("email", mail), "objecttypecode": "email", "filename": "a.bin"}
        await create(destination, "activitymimeattachment", values)
        attachments = await live(destination, "activitymimeattachment")
        await destination.attach(attachments, row, "a.bin", "application/octet-stream", content)
        found = (await read(destination, "activitymimeattachment", ["body"], row))[row]
        assert duckdb.execute("SELECT from_base64(?)", [found["body"]]).fetchone() == (content,)

    run(check)


def test_schema_operations_can_be_repeated_and_taken_back(run: Any) -> None:
    async def check(destination: Destination) -> None:
        table = f"{PREFIX}_thing"
        operations = thing_operations(table)
        for operation in (*operations, *operations):
            await destination.apply(operation)
        made = await live(destination, table)
        assert made.columns[f"{PREFIX}_text"].max_length == 400
        decimal = made.columns[f"{PREFIX}_decimal"]
        assert (decimal.precision, decimal.min_value, decimal.max_value) == (5, -10, 1000)
        assert {o.value for o in made.columns[f"{PREFIX}_pick"].options} == {100, 101, 102}
        assert made.columns[f"{PREFIX}_many"].type == "MultiSelectPicklist"
        assert {o.value: o.label for o in made.columns[f"{PREFIX}_many"].options} == {1: "One", 2: "Two", 3: "Three"}
        assert made.columns[f"{PREFIX}_day"].date_behaviour == "DateOnly"
        assert made.columns[f"{PREFIX}_account"].targets == ("account",)
        assert [k.columns for k in made.keys] == [(f"{PREFIX}_sourcekey",)]
        await check_thing_rows(destination, table)
        for operation in (*reversed(operations), *reversed(operations)):
            await destination.revert(operation)
        assert await destination.table(table) is None

    run(check)


def thing_operations(table: str) -> list[dict[str, Any]]:
    def column(name: str, kind: str, **details: Any) -> dict[str, Any]:
        return {
            "kind": "add_column",
            "table": table,
            "name": f"{PREFIX}_{name}",
            "type": kind,
            "label": name,
            **details,
        }

    return [
        {
            "kind": "create_table",
            "table": table,
            "name": table,
            "label": "Thing",
            "plural": "Things",
            "ownership": "UserOwned",
            "primary": {"name": f"{PREFIX}_name", "label": "Name", "length": 400},
        },
        column("text", "String", length=120),
        column("long", "Memo", length=5000),
        column("whole", "Integer", min=0, max=100),
        column("decimal", "Decimal", precision=3, min=-10, max=10),
        column("money", "Money", precision=2),
        column("double", "Double", precision=5),
        column("yes", "Boolean"),
        column("day", "DateTime", format="DateOnly"),
        column("moment", "DateTime", format="DateAndTime"),
        column("pick", "Picklist", options=[[100, "A"], [101, "B"]]),
        column("many", "MultiSelectPicklist", options=[[1, "One"], [2, "Two"]]),
        column("account", "Lookup", targets=["account"]),
        column("sourcekey", "String", length=100),
        {"kind": "add_option", "table": table, "name": f"{PREFIX}_pick", "value": 102, "label": "C"},
        {"kind": "add_option", "table": table, "name": f"{PREFIX}_many", "value": 3, "label": "Three"},
        {"kind": "widen_column", "table": table, "name": f"{PREFIX}_text", "type": "String", "length": 400},
        {
            "kind": "widen_column",
            "table": table,
            "name": f"{PREFIX}_decimal",
            "type": "Decimal",
            "precision": 5,
            "max": 1000,
        },
        {
            "kind": "add_key",
            "table": table,
            "name": f"{PREFIX}_key",
            "columns": [f"{PREFIX}_sourcekey"],
            "label": "Key",
        },
        {"kind": "publish", "table": "", "name": "all"},
    ]


async def check_thing_rows(destination: Destination, table: str) -> None:
    """All column types of a custom table, its lookup, its key, and reading by source key."""
    account, row, other = new_id(), new_id(), new_id()
    await create(destination, "account", {"_row": account, "name": "x"})
    values: dict[str, Any] = {
        "name": "N",
        "text": "T",
        "long": "L\n" * 100,
        "whole": 7,
        "decimal": Decimal("-1.5"),
        "money": Decimal("10.25"),
        "double": 0.125,
        "yes": True,
        "day": date(2026, 2, 28),
        "moment": datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC),
        "pick": 102,
        "many": "1,3",
        "account": ("account", account),
        "sourcekey": "0a1b",
    }
    await create(destination, table, {"_row": row, **{f"{PREFIX}_{name}": value for name, value in values.items()}})
    await create(destination, table, {"_row": other, f"{PREFIX}_name": "no source key"})
    with pytest.raises(Refused, match="0x80060892"):
        await create(destination, table, {"_row": new_id(), f"{PREFIX}_sourcekey": "0A1B"})
    made = await live(destination, table)
    found = []
    async for batch in destination.rows(
        made, [f"{PREFIX}_{name}" for name in values], source_keyed=f"{PREFIX}_sourcekey"
    ):
        found += batch.to_pylist()
    assert found == [
        {
            "_row": row.bytes,
            **{f"{PREFIX}_{name}": value for name, value in values.items()},
            f"{PREFIX}_decimal": "-1.5",
            f"{PREFIX}_money": "10.25",
            f"{PREFIX}_account": account.bytes,
            f"{PREFIX}_account__table": "account",
        }
    ]


def test_rows_of_a_many_to_many_relationship_can_be_joined_and_parted(run: Any) -> None:
    async def check(destination: Destination) -> None:
        table, name = f"{PREFIX}_tag", f"{PREFIX}_tag_contact"
        operations: list[dict[str, Any]] = [
            {**thing_operations(table)[0], "label": "Tag", "plural": "Tags"},
            {"kind": "add_relationship", "table": table, "name": name, "other": "contact"},
        ]
        for operation in (*operations, *operations):
            await destination.apply(operation)
        tag, contact = new_id(), new_id()
        await create(destination, table, {"_row": tag, f"{PREFIX}_name": "hot"})
        await create(destination, "contact", {"_row": contact, "firstname": "A"})
        tags, contacts = await live(destination, table), await live(destination, "contact")
        link = Call("associate", table, tag, relationship=name, target=contact, target_table="contact")
        assert await one_call(destination, link) == ""
        assert await destination.related(tags, tag, name, contacts) == {contact}
        assert await destination.related(contacts, contact, name, tags) == {tag}
        part = Call("disassociate", table, tag, relationship=name, target=contact, target_table="contact")
        assert await one_call(destination, part) == ""
        assert await destination.related(tags, tag, name, contacts) == set()
        assert await one_call(destination, Call("delete", table, tag)) == ""
        assert await destination.related(tags, tag, name, contacts) == set(), (
            "a row that is not there is joined with nothing"
        )
        assert await one_call(destination, part) == "0x80040217"
        for operation in reversed(operations):
            await destination.revert(operation)

    run(check)


def test_more_rows_than_a_page_come_back_once_each(run: Any) -> None:
    async def check(destination: Destination) -> None:
        ids = [new_id() for _ in range(5_200)]
        for at in range(0, len(ids), 1_000):
            await create(destination, "account", *({"_row": row, "name": "page"} for row in ids[at : at + 1_000]))
        account = await live(destination, "account")
        seen: list[UUID] = []
        async for batch in destination.rows(account, ["name"]):
            seen += [UUID(bytes=row["_row"]) for row in batch.to_pylist() if row["name"] == "page"]
        assert sorted(seen) == sorted(ids)

    run(check)
