"""Every pack's example with its columns shuffled, translated, renamed or gone: proposals and clear findings, no failure."""

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from mapping.pack_example import Prepared, prepare

from flitstack.app.scope import fit_pack
from flitstack.catalogue.read import load_catalogue
from flitstack.mapping.check import check_maps
from flitstack.mapping.maps import read_maps
from flitstack.packs.read import load_pack, pack_names
from flitstack.packs.types import Pack
from flitstack.staging.delimited import DelimitedSource
from flitstack.staging.dialect import find_dialect
from flitstack.staging.encodings import find_encoding
from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.findings import FindingsWriter
from flitstack.staging.recognise import match_columns
from flitstack.staging.source import Record
from flitstack.staging.stage import StageOptions, stage

PEOPLE = {
    "klipy": ("Contact", "contacts.csv"), "interactive": ("Contact", "contacts.csv"), "planports": ("Contact", "contacts.csv"),
    "voopty": ("Student", "students.csv"), "clinic": ("Patient", "patients.csv"),
}  # fmt: skip
GERMAN = {
    "person.given_name": "Vorname", "person.family_name": "Nachname", "person.email": "E-Mail", "person.phone": "Telefon",
    "person.birth_date": "Geburtsdatum", "person.gender": "Geschlecht", "person.company_name": "Firma", "address.line1": "Straße",
    "address.city": "Ort", "address.postal_code": "PLZ", "record.owner": "Besitzer", "record.created_at": "Erstellt am",
}  # fmt: skip
UKRAINIAN = {
    "person.given_name": "Ім'я", "person.family_name": "Прізвище", "person.email": "Ел. пошта", "person.phone": "Телефон",
    "person.birth_date": "Дата народження", "person.gender": "Стать", "person.company_name": "Компанія", "address.line1": "Адреса",
    "address.city": "Місто", "address.postal_code": "Індекс", "record.owner": "Власник", "record.created_at": "Створено",
}  # fmt: skip


@dataclass(frozen=True)
class People:
    """The file of people of a pack's example."""

    pack: Pack
    name: str  # of the object
    file: str
    header: list[str]
    records: list[list[str | None]]

    def field(self, header: str) -> str:
        """The pack's field behind a heading."""
        match = match_columns(self.header, self.pack.objects[self.name]).fields
        return match[self.header.index(header)].name

    def export(self, folder: Path, header: list[str], places: list[int]) -> Path:
        """A copy of the example in which this file has these headings over these columns."""
        export = folder / "export"
        shutil.copytree(self.pack.folder / "example", export)
        with (export / self.file).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows([[record[place] or "" for place in places] for record in self.records])
        return export

    @property
    def every(self) -> list[int]:
        return list(range(len(self.header)))


@pytest.fixture(scope="module", params=pack_names())
def people(request: pytest.FixtureRequest) -> People:
    pack = load_pack(request.param)
    name, file = PEOPLE[request.param]
    path = pack.folder / "example" / file
    source = DelimitedSource(path, find_dialect(path, find_encoding(path)))
    records = [list(record.values) for record in source.records() if isinstance(record, Record)]
    return People(pack, name, file, list(source.header), records)


def staged_rows(
    pack: Pack, export: Path, folder: Path, name: str
) -> tuple[list[tuple[object, ...]], list[str], list[str]]:
    """Records of an object as staged, in the pack's own order of fields; fields no file has; what was found missing."""
    with Engine(folder / "scratch", memory_mb=128) as engine:
        findings = FindingsWriter(engine, "stage")
        document = stage(pack, export, folder / "staged", StageOptions(), engine, findings)
        table = document.tables[name]
        known = "".join(f', "{field.name}"' for field in table.fields if field.known)
        rows = engine.rows(
            f"SELECT _record{known} FROM read_parquet('{folder / 'staged' / table.parquet}') ORDER BY _record"
        )
        told = engine.rows(f"SELECT field FROM {findings.table} WHERE code = 'field_missing' AND object = '{name}'")
    return rows, list(table.missing), [str(field) for (field,) in told]


def mapped(people: People, pack: Pack, export: Path, folder: Path) -> Prepared:
    """The export up to a proposed map, which must be one that can be run."""
    with Engine(folder / "scratch", memory_mb=128) as engine:
        prepared = prepare(pack, export, folder, engine)
    assert check_maps(read_maps(folder / "mapping"), pack, prepared.staged, load_catalogue().tables) == []
    return prepared


def test_the_order_of_columns_changes_nothing(people: People, tmp_path: Path) -> None:
    plain, _, _ = staged_rows(people.pack, people.pack.folder / "example", tmp_path / "a", people.name)
    export = people.export(tmp_path, people.header[::-1], people.every[::-1])
    shuffled, _, told = staged_rows(people.pack, export, tmp_path / "b", people.name)
    assert shuffled == plain
    assert told == []
    assert plain


@pytest.mark.parametrize("words", [GERMAN, UKRAINIAN], ids=["german", "ukrainian"])
def test_common_headings_of_other_languages_are_known(people: People, tmp_path: Path, words: dict[str, str]) -> None:
    plain, missing, _ = staged_rows(people.pack, people.pack.folder / "example", tmp_path / "a", people.name)
    fields = people.pack.objects[people.name].fields
    header = [words.get(fields[people.field(one)].means, one) for one in people.header]
    assert sum(new != old for new, old in zip(header, people.header, strict=True)) >= 4
    export = people.export(tmp_path, header, people.every)
    assert staged_rows(people.pack, export, tmp_path / "b", people.name) == (plain, missing, [])


def test_headings_nobody_knows_are_proposed_asked_for_and_met_once_they_are_named(
    people: People, tmp_path: Path
) -> None:
    source = people.pack.objects[people.name]
    header = [f"Spalte {place + 1}" for place in people.every]
    export = people.export(tmp_path, header, people.every)
    prepared = mapped(people, people.pack, export, tmp_path / "unknown")
    table = prepared.staged.tables[people.name]
    unknown = [field.header for field in table.fields if not field.known]
    assert unknown, "what its values do not tell"
    file = read_maps(tmp_path / "unknown" / "mapping")[people.name]
    said = {
        text for route in file.data["routes"] for rule in route["columns"].values() for text in [str(rule.get("from"))]
    }
    said |= {f'"{field}"' for route in file.data["routes"] for field in route.get("unmapped") or {}}
    filled = [field.name for field in table.fields if not field.known]
    assert all(f'"{name}"' in said for name in filled), "every unknown column has a proposal or a reason"
    _, _, told = staged_rows(people.pack, export, tmp_path / "told", people.name)
    assert source.key in told
    named = {new: people.field(old) for new, old in zip(header, people.header, strict=True)}
    fitted = fit_pack(people.pack, {}, {people.name: named}, [], {})
    plain = staged_rows(people.pack, people.pack.folder / "example", tmp_path / "a", people.name)
    assert staged_rows(fitted, export, tmp_path / "b", people.name) == (plain[0], plain[1], [])


def test_missing_columns_are_told_and_the_map_still_runs(people: People, tmp_path: Path) -> None:
    source = people.pack.objects[people.name]
    keep = [place for place in people.every if people.field(people.header[place]) != source.key]
    optional = next(
        place for place in keep if not source.fields[people.field(people.header[place])].required and place != keep[0]
    )
    keep.remove(optional)
    export = people.export(tmp_path, [people.header[place] for place in keep], keep)
    prepared = mapped(people, people.pack, export, tmp_path / "map")
    missing = prepared.staged.tables[people.name].missing
    assert {source.key, people.field(people.header[optional])} <= set(missing)
    _, _, told = staged_rows(people.pack, export, tmp_path / "told", people.name)
    assert told == [source.key], "only what must be there is a finding"
