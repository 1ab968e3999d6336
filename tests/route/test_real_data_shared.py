"""Data nobody made for us, through the pack it resembles: nothing crashes, every record is accounted for, all of it goes back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from route.route_case import Migration, begin, serving
from ruamel.yaml import YAML

pytestmark = pytest.mark.shared
OWNERS = (
    '{"owner_unmatched": "fallback", "owner_inactive": "fallback", "fallback_owner": "fallback.owner@dest.example"}'
)


@dataclass(frozen=True)
class Case:
    """An export, the pack it goes through, what its owner says in flitstack.yaml, and what must come of it."""

    name: str
    pack: str
    folder: str
    rows: dict[str, int]
    told: dict[str, Any] = field(default_factory=dict)
    code: int = 0  # 3: some records are held


CASES = [
    Case(
        "synthea as tables",
        "clinic",
        "clinic/synthea_csv_california",
        {
            "account": 183,
            "contact": 232,
            "flit_clinicencounter": 2590,
            "flit_clinicprescription": 1772,
            "flit_condition": 1534,
            "flit_payertransition": 2732,
        },
    ),
    Case(
        "synthea as FHIR",
        "clinic",
        "clinic/synthea_fhir_r4_california",
        {"account": 173, "contact": 174, "flit_clinicencounter": 4, "annotation": 4, "file": 4},
    ),
    Case(
        "a seller's deals",
        "klipy",
        "crm/sales_opportunities",
        {"account": 42, "flit_datadictionary": 7, "flit_product": 7, "flit_salesteam": 35},
        {
            "files": {"Company": ["accounts.csv"], "Deal": ["sales_pipeline.csv"]},
            "headers": {
                "Company": {"account": "Company Name", "sector": "Industry", "employees": "Size"},
                "Deal": {"opportunity_id": "Id", "product": "Deal Name", "account": "Company", "close_value": "Value"},
            },
            "absent": ["Activity", "Contact", "Note"],
        },
        code=3,
    ),
    Case(
        "a trader's orders",
        "klipy",
        "crm/northwind",
        {
            "account": 67,
            "flit_category": 8,
            "flit_employee": 9,
            "flit_employeeterritory": 49,
            "flit_order": 654,
            "flit_orderdetail": 2155,
            "flit_product": 77,
            "flit_region": 4,
            "flit_shipper": 3,
            "flit_supplier": 20,
            "flit_territory": 53,
        },
        {
            "files": {"Company": ["customers.csv"]},
            "headers": {"Company": {"companyName": "Company Name", "customerID": "Id"}},
            "absent": ["Activity", "Contact", "Note", "Deal"],
        },
        code=3,
    ),
    Case(
        "a list's mail",
        "klipy",
        "mail",
        {"contact": 19},
        {
            "files": {"Contact": ["contacts_seen.csv"], "Activity": ["headers.csv"]},
            "headers": {
                "Contact": {"display_name": "First Name", "email": "Email", "first_seen": "Created At"},
                "Activity": {"message_id": "Id", "subject": "Title", "from": "Contact Email", "date": "Started At"},
            },
            "absent": ["Company", "Note", "Deal"],
        },
        code=3,
    ),
    Case(
        "a school's register",
        "voopty",
        "school/sds_v2_1",
        {
            "contact": 8,
            "flit_academicsession": 2,
            "flit_class": 2,
            "flit_demographic": 6,
            "flit_enrollment": 6,
            "flit_org": 4,
            "flit_relationship": 3,
            "flit_role": 7,
            "flit_userflag": 3,
        },
        {
            "files": {"Student": ["users.csv"], "Course": ["courses.csv"], "Enrollment": ["enrollments.csv"]},
            "headers": {
                "Student": {"sourcedId": "student_id", "givenName": "first_name", "familyName": "last_name"},
                "Course": {"sourcedId": "course_id", "title": "name"},
                "Enrollment": {"classSourcedId": "course_id", "userSourcedId": "student_id"},
            },
        },
        code=3,
    ),
    Case(
        "a school's attendance",
        "voopty",
        "school/oea_contoso_sis",
        {"contact": 100, "flit_studentattendance": 12000, "flit_studentsectionmark": 1044},
        {
            "files": {"Student": ["studentdemographics.csv"]},
            "headers": {"Student": {"SIS ID": "student_id"}},
        },
    ),
    Case("chats of a telephone", "planports", "whatsapp", {"flit_target": 6}, {"absent": ["Contact", "Deal"]}, code=3),
]


# These run always, the others in `make soak`.
QUICK = {"synthea as FHIR", "a seller's deals"}
PARAMS = [pytest.param(case, id=case.name, marks=[pytest.mark.slow] * (case.name not in QUICK)) for case in CASES]


@pytest.fixture(scope="module", params=PARAMS)
def moved(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Case, Migration, Any]]:
    case, folder = request.param, tmp_path_factory.mktemp("real")
    scoping = folder / "scoping.json"
    scoping.write_text(OWNERS)
    with serving(folder / "emulator") as url:
        destination = shared / "data" / "exports" / "clinic" / "destination"
        export = shared / "data" / "real" / case.folder
        (folder / "seed").mkdir()
        (folder / "seed" / "destination").symlink_to(destination)
        begin(folder / "unused", url, folder / "seed", scoping=scoping, pack=case.pack)
        migration = begin(folder / "acme", url, export, scoping=scoping, seeded=False, pack=case.pack)
        settings = folder / "acme" / "flitstack.yaml"
        yaml = YAML()
        said = yaml.load(settings) | case.told
        yaml.dump(said, settings)
        before = migration.admin("fingerprint")
        migration.do("run", "--rehearse", code=case.code)
        yield case, migration, before


def test_every_record_is_accounted_for_and_every_row_there(moved: tuple[Case, Migration, Any]) -> None:
    case, migration, _ = moved
    status = migration.do("status")
    assert [name for name, account in status["accounts"].items() if not account["closes"]] == []
    assert {name: rows for name, rows in status["tables"].items() if rows} == case.rows


def test_nothing_differs_and_all_of_it_goes_back(moved: tuple[Case, Migration, Any]) -> None:
    _, migration, before = moved
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    assert migration.do("rollback")["equal"]
    assert migration.admin("fingerprint")["tables"] == before["tables"]
