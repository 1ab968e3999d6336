"""The map that is proposed, and what proposing again leaves alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from mapping.map_case import MapCase
from mapping.pack_example import prepare, propose_example

from flitstack.catalogue.read import load_catalogue
from flitstack.documents import read_yaml, write_yaml
from flitstack.mapping.confirm import confirm, reject
from flitstack.mapping.maps import MapFile, open_proposals, read_maps
from flitstack.mapping.meanings import columns_for, known_meanings
from flitstack.mapping.propose import ProposeReport, propose_maps
from flitstack.packs.read import load_pack, pack_names
from flitstack.packs.types import Field, Pack, SourceObject
from flitstack.staging.engine.engine import Engine

PLAYBOOK: dict[str, Any] = yaml.safe_load(
    """
    routes:
      Person:
        - table: contact
          phase: contacts
          key: Id
          matches: {id: Id}
          columns:
            x_grade:
              from: Grade
              choices_from: {object: Level, name: Name, order: Rank}
              create: {type: Picklist, label: Grade}
            x_kind:
              from: Kind
              choices: {p: Private, b: Business}
              create: {type: Picklist, label: Kind, options: [Private, Business]}
        - {table: x_extra, phase: contacts, also: true, key: Id, columns: {x_name: {from: Id}}}
    reference: {Level: {becomes: choice}}
    tables: {x_extra: {label: Extra, plural: Extras, why: test}}
    """
)
HEADERS = ("Id", "First", "Grade", "Kind", "Score", "Signed", "Nick Name", "Zip", "Void")
PEOPLE = [
    dict(zip(HEADERS, ("1", "Ana", "Gold", "p", "10", "2025-01-02", "Anna", "01234", None), strict=True)),
    dict(zip(HEADERS, ("2", "Bo", "Iron", "b", "-3", "2025-03-04", "B", "99999", " "), strict=True)),
]
LEVELS = [
    {"Id": "x", "Name": "Iron", "Rank": "2"},
    {"Id": "y", "Name": "Gold", "Rank": "1"},
    {"Id": "z", "Name": "gold ", "Rank": "3"},
    {"Id": "u", "Name": "Gold#", "Rank": "4"},
]


class Proposing:
    """Proposes for the people above into a folder of its own."""

    def __init__(self, case: Callable[..., MapCase]) -> None:
        self.case = case(objects={"Person": PEOPLE, "Level": LEVELS}, maps={})
        self.folder = self.case.folder / "maps"
        self.staged = self.case.staged()
        fields = {
            "Id": Field("Id"),
            "First": Field("First", means="person.given_name"),
            "Grade": Field("Grade"),
            "Kind": Field("Kind"),
        }
        sources = {"Person": SourceObject("Person", (), "Id", fields), "Level": SourceObject("Level", (), "Id", {})}
        self.pack = Pack("test", "Test", sources, {}, PLAYBOOK, self.case.folder)

    def run(self) -> ProposeReport:
        """Propose; what is there already is merged."""
        existing = read_maps(self.folder) if self.folder.exists() else {}
        tables = load_catalogue().tables
        return propose_maps(
            self.pack,
            self.staged,
            self.case.folder / "staged",
            existing,
            tables,
            {},
            "acme",
            12_345,
            self.case.engine,
            self.folder,
        )

    def person(self) -> MapFile:
        """The file of the people."""
        return read_maps(self.folder)["Person"]

    def columns(self, route: int = 0) -> dict[str, Any]:
        """Columns of a route, as the file has them."""
        return dict(self.person().data["routes"][route]["columns"])


@pytest.fixture
def proposing(case: Callable[..., MapCase]) -> Proposing:
    return Proposing(case)


def test_everything_proposed_says_why_and_how_sure(proposing: Proposing) -> None:
    report = proposing.run()
    columns = proposing.columns()
    assert report.written == ("Person",)
    assert not report.unrouted
    assert all(rule["status"] == "proposed" and rule["why"] and 0 < rule["confidence"] < 1 for rule in columns.values())
    assert columns["firstname"]["why"] == ["meaning", "person.given_name"]
    assert columns["acme_kind"]["why"] == ["pack"]


def test_no_field_is_dropped_in_silence(proposing: Proposing) -> None:
    proposing.run()
    columns, unmapped = proposing.columns(), proposing.person().routes[0].unmapped
    assert columns["nickname"]["from"] == '"Nick Name"'
    created = {
        name: rule["create"]["type"] for name, rule in columns.items() if "create" in rule and rule["confidence"] < 0.9
    }
    assert created == {"acme_score": "Integer", "acme_signed": "DateTime", "acme_zip": "String"}
    assert columns["acme_signed"]["create"]["format"] == "DateOnly"
    assert (unmapped["Void"].reason, unmapped["Void"].status) == ("no value in the export", "proposed")


def test_options_are_numbered_in_the_order_of_the_reference_object(proposing: Proposing) -> None:
    proposing.run()
    columns = proposing.columns()
    assert columns["acme_grade"]["create"]["options"] == [
        [123450000, "Gold"],
        [123450001, "Iron"],
        [123450002, "Gold#"],
    ]
    assert columns["acme_grade"]["choices"] == {"Gold": 123450000, "Iron": 123450001, "Gold#": 123450002}
    assert columns["acme_kind"]["choices"] == {"p": 123450000, "b": 123450001}


def test_custom_tables_carry_the_publishers_prefix(proposing: Proposing) -> None:
    proposing.run()
    extra = proposing.person().routes[1]
    assert (extra.table, extra.create_table, list(extra.columns)) == (
        "acme_extra",
        {"label": "Extra", "plural": "Extras"},
        ["acme_name"],
    )


def test_proposing_again_changes_nothing(proposing: Proposing) -> None:
    proposing.run()
    before = proposing.person().sha256
    assert proposing.run().written == ()
    assert proposing.person().sha256 == before


def test_what_people_decided_stays(proposing: Proposing) -> None:
    proposing.run()
    confirm(proposing.folder, "Person.firstname", "ana", "2026-01-01T00:00:00Z")
    reject(proposing.folder, "Person.Score", "not used since 2023", "ana", "2026-01-01T00:00:00Z")
    path = proposing.folder / "Person.yaml"
    data, _ = read_yaml(path)
    columns = data["routes"][0]["columns"]
    columns["nickname"]["from"] = 'upper("Nick Name")'
    del columns["nickname"]["status"]
    columns["address1_postalcode"] = {"from": "Zip"}
    del columns["acme_zip"]
    write_yaml(path, data)
    proposing.run()
    columns = proposing.columns()
    assert columns["firstname"]["by"] == "ana"
    assert columns["nickname"]["from"] == 'upper("Nick Name")'
    assert "acme_score" not in columns
    assert "acme_zip" not in columns
    waiting = open_proposals(read_maps(proposing.folder))
    assert "Person.Score" not in waiting
    assert "Person.firstname" not in waiting
    assert "Person.acme_signed" in waiting


def test_a_column_rejected_by_its_name_and_rejected_tags_are_not_proposed_again(tmp_path: Path, engine: Engine) -> None:
    pack = load_pack("klipy")
    prepared = prepare(pack, pack.folder / "example", tmp_path, engine)
    maps, at = tmp_path / "mapping", "2026-01-01T00:00:00Z"
    reject(maps, "Contact.flit_sourcecompany", "the lookup is enough", "ana", at)
    reject(maps, "Contact.Tags", "cleaned up first", "ana", at)
    prepared.propose()
    route = read_maps(maps)["Contact"].routes[0]
    assert "flit_sourcecompany" not in route.columns
    assert "parentcustomerid" in route.columns
    assert route.vocabulary is None
    assert {"flit_sourcecompany", "Tags"} <= set(route.unmapped)


def test_confirming_all_leaves_nothing_open(proposing: Proposing) -> None:
    proposing.run()
    confirm(proposing.folder, "all", "ana", "2026-01-01T00:00:00Z")
    assert open_proposals(read_maps(proposing.folder)) == []
    assert proposing.run().proposed == ()


def test_the_meanings_name_columns_that_exist() -> None:
    tables = load_catalogue().tables
    wrong = [
        f"{meaning} -> {table}.{column}"
        for meaning in sorted(known_meanings())
        for table in tables.values()
        for column in columns_for(meaning, table.name, "F")
        if (column not in {"ownerid", "overriddencreatedon"})
        and (table.column(column) is None or not table.columns[column].creatable)
    ]
    assert not wrong


@pytest.mark.parametrize("name", pack_names())
def test_the_map_of_a_packs_example_reads_and_checks(name: str, tmp_path: Path) -> None:
    assert propose_example(load_pack(name), tmp_path) == []


def test_what_many_records_share_has_only_the_columns_that_the_pack_says(case: Callable[..., MapCase]) -> None:
    proposing = Proposing(case)
    shared = {
        "table": "contact",
        "name": "household",
        "phase": "contacts",
        "also": True,
        "distinct": True,
        "key": "Kind",
    }
    routes = [*PLAYBOOK["routes"]["Person"], {**shared, "columns": {"lastname": {"from": "Kind"}}}]
    proposing.pack = replace(proposing.pack, playbook={**PLAYBOOK, "routes": {"Person": routes}})
    proposing.run()
    assert list(proposing.columns(len(routes) - 1)) == ["lastname"]
