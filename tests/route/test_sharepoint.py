"""Files for SharePoint: folders as rows, a note for each file, the files laid out with a manifest; refused where no site is."""

import csv
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from route.route_case import TO_LOAD, TO_PLAN, Migration, ask, begin, example_export, serving

from flitstack.packs.read import load_pack

pytestmark = pytest.mark.slow


def example(folder: Path, *, has_site: bool, **decided: str) -> Path:
    export = example_export(folder / "export")
    scoping = json.loads((export / "scoping.json").read_text()) | {"attachments": "sharepoint"} | decided
    (export / "scoping.json").write_text(json.dumps(scoping))
    org = json.loads((export / "destination" / "org.json").read_text()) | {"sharepoint": has_site}
    (export / "destination" / "org.json").write_text(json.dumps(org))
    with (export / "attachments.csv").open("a", encoding="utf-8") as file:
        file.write('f07,attachments/f01.txt,"../Q1: plan?.txt",text/plain,,deal,d01,2024-05-01 10:00\n')
    return export


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    folder = tmp_path_factory.mktemp("sharepoint")
    export = example(folder, has_site=True)
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export)
        migration.keep("before")
        migration.go(TO_PLAN + TO_LOAD)
        migration.do("load", code={0, 3})
        yield migration


def test_each_record_has_a_folder_below_the_library_and_each_file_a_note(moved: Migration) -> None:
    locations = {row["relativeurl"]: row for row in moved.rows("sharepointdocumentlocations")}
    assert set(locations) == {"MigratedDocuments", "deal-d01", "deal-d02", "company-c01", "company-c04"}
    library, site = locations["MigratedDocuments"], moved.rows("sharepointsites")[0]
    assert library["_parentsiteorlocation_value"] == site["sharepointsiteid"]
    deal = next(row for row in moved.rows("opportunities") if row["name"].startswith("Harbour Lights - spring"))
    assert locations["deal-d01"]["_regardingobjectid_value"] == deal["opportunityid"]
    assert locations["deal-d01"]["_parentsiteorlocation_value"] == library["sharepointdocumentlocationid"]
    notes = {row["notetext"]: row for row in moved.rows("annotations") if "SharePoint" in (row["notetext"] or "")}
    assert set(notes) == {
        "In SharePoint: deal-d01/f01 spring menu.txt", "In SharePoint: deal-d01/f07 .._Q1_ plan_.txt",
        "In SharePoint: company-c01/f06 logo.png",
    }  # fmt: skip
    first = notes["In SharePoint: deal-d01/f01 spring menu.txt"]
    assert first["_objectid_value"] == deal["opportunityid"]
    assert not first["isdocument"]


def test_the_files_are_laid_out_for_an_administrator_with_a_manifest(moved: Migration) -> None:
    folder = moved.folder / "sharepoint"
    listed = list(csv.DictReader((folder / "manifest.csv").open(encoding="utf-8")))
    assert [(row["record"], row["target"]) for row in listed] == [
        ("f06", "company-c01/f06 logo.png"), ("f01", "deal-d01/f01 spring menu.txt"),
        ("f07", "deal-d01/f07 .._Q1_ plan_.txt"),
    ]  # fmt: skip
    for row in listed:
        content = (folder / "files" / row["target"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (int(row["size"]), row["sha256"])
    held = {
        (f["record"], f["code"]) for f in moved.do("findings") if f["object"] == "Attachment" and f["outcome"] == "held"
    }
    assert {("f03", "empty_file"), ("f05", "file_missing"), ("f04", "blocked_type")} <= held


def test_files_of_other_records_stay_notes_and_all_of_it_closes_and_goes_back(moved: Migration) -> None:
    files = [row["filename"] for row in moved.rows("annotations") if row["filename"]]
    assert files == ["fabric list.csv"], "an activity has no folder in SharePoint"
    accounts = moved.do("status")["accounts"]
    assert [name for name, account in accounts.items() if not account["closes"]] == []
    assert moved.do("reconcile", code={0, 3})["differences"] == 0
    assert moved.do("rollback")["equal"]
    assert moved.rows("sharepointdocumentlocations") == []


@pytest.mark.parametrize(
    ("has_site", "parent", "told"), [(False, "Default Site", "no SharePoint site"), (True, "Intranet", "'Intranet'")]
)
def test_without_a_site_of_that_name_the_plan_is_refused_with_what_to_do(
    tmp_path: Path, has_site: bool, parent: str, told: str
) -> None:
    export = example(tmp_path, has_site=has_site, sharepoint_parent=parent)
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, export)
        migration.go(TO_PLAN[:-1])
        problem = migration.run("plan").errors["sharepoint-missing"]
    assert told in problem["what"]
    assert "attachments: annotation" in problem["do"]


def clinic(folder: Path, url: str, *, for_contacts: bool) -> Migration:
    """The clinic's example with its files in SharePoint; document management enabled for contacts, or not."""
    export = folder / "export"
    shutil.copytree(load_pack("clinic").folder / "example", export)
    scoping = json.loads((export / "scoping.json").read_text()) | {"attachments": "sharepoint"}
    (export / "scoping.json").write_text(json.dumps(scoping))
    org = json.loads((export / "destination" / "org.json").read_text()) | {"sharepoint": True}
    (export / "destination" / "org.json").write_text(json.dumps(org))
    migration = begin(folder / "acme", url, export, pack="clinic")
    if for_contacts:
        path = "EntityDefinitions(LogicalName='contact')"
        definition = ask(f"{url}/api/data/v9.2/{path}")
        ask(f"{url}/api/data/v9.2/{path}", definition | {"IsDocumentManagementEnabled": True}, method="PUT")
    return migration


def test_a_clinics_documents_lie_in_a_folder_of_their_patient(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = clinic(tmp_path, url, for_contacts=True)
        migration.do("run", "--rehearse", code={0, 3})
        locations = {row["relativeurl"]: row for row in migration.rows("sharepointdocumentlocations")}
        assert set(locations) == {"MigratedDocuments", "patient-1001", "patient-1002"}
        patient = next(row for row in migration.rows("contacts") if row["flit_sourcepatientid"] == "1001")
        assert locations["patient-1001"]["_regardingobjectid_value"] == patient["contactid"]
        notes = [row for row in migration.rows("annotations") if "In SharePoint" in (row["notetext"] or "")]
        assert {row["notetext"] for row in notes} == {
            "In SharePoint: patient-1001/K1 MRI report", "In SharePoint: patient-1002/K2 C_scans_consent_.txt",
        }  # fmt: skip
        assert not any(row["isdocument"] for row in notes)
        laid = migration.folder / "sharepoint" / "files"
        assert (laid / "patient-1002" / "K2 C_scans_consent_.txt").exists()
        assert migration.do("reconcile", code={0, 3})["differences"] == 0
        assert all(account["closes"] for account in migration.do("status")["accounts"].values())
        assert migration.do("rollback")["equal"]


def test_where_contacts_keep_no_documents_the_plan_says_who_can_change_that(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = clinic(tmp_path, url, for_contacts=False)
        migration.go(TO_PLAN[:-1])
        problem = migration.run("plan").errors["sharepoint-missing"]
    assert "rows of contact keep no documents" in problem["what"]
    assert "enable document management for the table" in problem["do"]
    assert "attachments: annotation" in problem["do"]
