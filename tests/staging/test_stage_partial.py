"""A partial export over the snapshot before it: records meet by their id, never by their place in a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from staging.export_case import CONTACTS, Export

from flitstack.staging.engine.engine import Engine, literal
from flitstack.staging.stage import StageOptions
from flitstack.staging.union import unite

Laid = Callable[..., tuple[list[dict[str, Any]], dict[str, str]]]


@pytest.fixture
def laid(tmp_path: Path, module_engine: Engine) -> Laid:
    """Lays exports (text of contacts.csv) over each other; gives the records and the fate of each of the last one."""

    def make(*exports: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
        earlier, folder = None, tmp_path
        for number, text in enumerate(exports):
            export = Export(tmp_path / str(number), module_engine, options=StageOptions(partial=number > 0))
            later = export.write("contacts.csv", text).staged()
            document = later.document
            if earlier is not None:
                document = unite(
                    module_engine, CONTACTS, earlier, folder, document, later.folder, tmp_path / f"files-{number}"
                )
            earlier, folder = document, later.folder
        path = literal(str(folder / "Contact.parquet"))
        records = module_engine.table(f"SELECT * FROM read_parquet({path})").to_pylist()
        shown = [{key: row[key] for key in ("_id", "Name", "Email") if key in row} for row in records]
        fates = module_engine.rows(f"SELECT id, fate FROM read_parquet({literal(str(folder / 'read.parquet'))})")
        return sorted(shown, key=lambda row: row["_id"]), dict(fates)  # type: ignore[arg-type]

    return make


def row(id: str, name: str, email: str | None) -> dict[str, str | None]:
    return {"_id": id, "Name": name, "Email": email}


def test_a_record_without_id_takes_no_values_of_the_record_in_its_place(laid: Laid) -> None:
    records, fates = laid(
        "Id,Name,Email\n,Ana,ana@x.example\n2,Ben,ben@x.example\n", "Id,Name\n,Cleo\n,Dora\n2,Benno\n"
    )
    assert records == [
        row("1", "Ana", "ana@x.example"),
        row("1~1", "Cleo", None),
        row("2", "Benno", "ben@x.example"),
        row("2~1", "Dora", None),
    ]
    assert fates == {"1~1": "new", "2~1": "new", "2": "changed"}


def test_the_very_same_record_without_id_is_taken_once_and_stays_who_it_was(laid: Laid) -> None:
    first = "Id,Name,Email\n,Ana,ana@x.example\n,Ben,ben@x.example\n,Cleo,\n"
    records, fates = laid(first, "Id,Name,Email\n,Dora,\n,Ben,ben@x.example\n", "Id,Name\n,Cleo\n,Ben\n,Dora\n")
    assert records == [
        row("1", "Ana", "ana@x.example"),
        row("1~1", "Dora", None),
        row("2", "Ben", "ben@x.example"),
        row("2~2", "Ben", None),
        row("3", "Cleo", None),
    ]
    assert fates == {"3": "same", "2~2": "new", "1~1": "same"}


def test_an_id_replaces_only_the_record_that_has_it_not_one_of_that_number(laid: Laid) -> None:
    records, fates = laid("Id,Name,Email\n,Ana,ana@x.example\n", "Id,Name\n1,Ben\n")
    assert records == [row("1", "Ana", "ana@x.example"), row("1", "Ben", None)]
    assert fates == {"1": "new"}
