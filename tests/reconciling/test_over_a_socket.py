"""The same, through the Web API of an emulator: what is written is read back equal, and one changed cell is found."""

import os
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from contract.emulators import start_emulator
from reconciling.migrations import CATALOGUE, Migration, contacts, deals, row_id

from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.destinations.port import Call
from flitstack.staging.engine.engine import Engine


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Any:
    process, url = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield url
    process.terminate()
    process.wait(20)


async def tamper(url: str, table: str, number: int, column: str, value: Any) -> None:
    body = {"table": table, "id": str(row_id(number)), "column": column, "value": value}
    async with aiohttp.ClientSession() as session, session.post(f"{url}/flitstack-admin/cell", json=body) as answer:
        assert answer.status == 200, await answer.text()


def test_a_load_reads_back_equal_and_every_tampered_cell_is_found(url: str, tmp_path: Path) -> None:
    content = os.urandom(2_000)
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "a.bin").write_bytes(content)
    with Engine(tmp_path / "scratch") as engine:
        migration = Migration(tmp_path, engine, DataverseDestination(Client(url), CATALOGUE))
        me = migration.run(migration.destination.facts()).user_id
        contacts(migration, me)
        deals(migration)
        parties = [
            {"mask": 1, "table": "systemuser", "id": str(me), "address": None},
            {"mask": 2, "table": "contact", "id": str(row_id(10)), "address": None},
            {"mask": 3, "table": None, "id": None, "address": "odd@b.example"},
        ]
        mail = {"_row": row_id(30), "subject": "Hi", "regardingobjectid": ("contact", row_id(10)), "_parties": parties}
        migration.send("email", "Mail", [mail], has_parties=True)
        migration.send(
            "annotation", "File", [{"_row": row_id(40), "subject": "F", "_content": "a.bin"}], has_files=True
        )
        note = CATALOGUE.tables["annotation"]
        migration.run(migration.destination.attach(note, row_id(40), "a.bin", "application/octet-stream", content))

        document, findings = migration.reconcile()
        assert findings == []
        assert (document.differences, document.closes) == (0, True)

        changes = [
            ("contact", 10, "firstname", "Eva"),
            ("opportunity", 22, "statecode", 1),
            ("email", 30, "subject", "Ho"),
        ]
        for change in changes:
            migration.run(tamper(url, *change))
        migration.run(migration.destination.batch([Call("delete", "account", row_id(2))], continue_on_error=True))
        document, findings = migration.reconcile()
        assert document.differences == 4
        assert sorted(finding["code"] for finding in findings) == ["cell_differs"] * 3 + ["row_missing"]
