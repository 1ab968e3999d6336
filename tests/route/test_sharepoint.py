"""Files for SharePoint: folders as rows, a note for each file, the files laid out with a manifest; refused where no site is."""

import csv
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from route.route_case import TO_LOAD, TO_PLAN, Migration, ask, begin, example_export, flit, serving

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
        # a06 is about a person; a12 about a deal that is held, and so about its person; a11 is held itself
        for name, activity in (("f08", "a06"), ("f09", "a12"), ("f10", "a11")):
            file.write(f"{name},attachments/f01.txt,{name}.txt,text/plain,,activity,{activity},2024-05-02 10:00\n")
    return export


def keep_documents(url: str, table: str) -> None:
    """Enable document management for a table, as an administrator does."""
    path = f"{url}/api/data/v9.2/EntityDefinitions(LogicalName='{table}')"
    ask(path, ask(path) | {"IsDocumentManagementEnabled": True}, method="PUT")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    folder = tmp_path_factory.mktemp("sharepoint")
    export = example(folder, has_site=True)
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export)
        keep_documents(url, "contact")
        migration.keep("before")
        migration.go(TO_PLAN + TO_LOAD)
        migration.do("load", code={0, 3})
        yield migration


def test_each_record_has_a_folder_below_the_library_and_each_file_a_note(moved: Migration) -> None:
    locations = {row["relativeurl"]: row for row in moved.rows("sharepointdocumentlocations")}
    assert set(locations) == {
        "MigratedDocuments", "deal-d01", "deal-d02", "deal-d03", "deal-d07", "company-c01", "company-c04", "contact-p03",
        "contact-p08",
    }  # fmt: skip
    library, site = locations["MigratedDocuments"], moved.rows("sharepointsites")[0]
    assert library["_parentsiteorlocation_value"] == site["sharepointsiteid"]
    deal = next(row for row in moved.rows("opportunities") if row["name"].startswith("Harbour Lights - spring"))
    assert locations["deal-d01"]["_regardingobjectid_value"] == deal["opportunityid"]
    assert locations["deal-d01"]["_parentsiteorlocation_value"] == library["sharepointdocumentlocationid"]
    notes = {row["notetext"]: row for row in moved.rows("annotations") if "SharePoint" in (row["notetext"] or "")}
    assert set(notes) == {
        "In SharePoint: deal-d01/f01 spring menu.txt", "In SharePoint: deal-d01/f07 .._Q1_ plan_.txt",
        "In SharePoint: company-c01/f06 logo.png", "In SharePoint: contact-p03/f04 setup.exe",
        "In SharePoint: deal-d03/f02 fabric list.csv", "In SharePoint: contact-p08/f08 f08.txt",
        "In SharePoint: deal-d07/f09 f09.txt",
    }  # fmt: skip
    first = notes["In SharePoint: deal-d01/f01 spring menu.txt"]
    assert first["_objectid_value"] == deal["opportunityid"]
    assert not first["isdocument"]


def test_the_files_are_laid_out_for_an_administrator_with_a_manifest(moved: Migration) -> None:
    folder = moved.folder / "sharepoint"
    listed = list(csv.DictReader((folder / "manifest.csv").open(encoding="utf-8")))
    assert [(row["record"], row["target"]) for row in listed] == [
        ("f06", "company-c01/f06 logo.png"), ("f04", "contact-p03/f04 setup.exe"),
        ("f08", "contact-p08/f08 f08.txt"), ("f01", "deal-d01/f01 spring menu.txt"),
        ("f07", "deal-d01/f07 .._Q1_ plan_.txt"), ("f02", "deal-d03/f02 fabric list.csv"),
        ("f09", "deal-d07/f09 f09.txt"),
    ]  # fmt: skip
    for row in listed:
        content = (folder / "files" / row["target"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (int(row["size"]), row["sha256"])
    held = {
        (f["record"], f["code"]) for f in moved.do("findings") if f["object"] == "Attachment" and f["outcome"] == "held"
    }
    assert {("f03", "empty_file"), ("f05", "file_missing"), ("f10", "orphan_parent")} <= held


def test_two_files_for_one_place_stop_the_plan_and_the_export_stays_as_it_is(tmp_path: Path) -> None:
    export = example(tmp_path, has_site=True)
    (export / "attachments" / "other.txt").write_text("another menu")
    with (export / "attachments.csv").open("a", encoding="utf-8") as file:  # SharePoint knows no upper and lower case
        file.write("F01,attachments/other.txt,Spring Menu.TXT,text/plain,,deal,d01,2024-05-03 10:00\n")
    before = (export / "attachments" / "f01.txt").read_bytes()
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, export)
        keep_documents(url, "contact")
        migration.go(TO_PLAN[:-1])
        problem = migration.run("plan").errors["copy-place-taken"]
    assert "2 files would lie at deal-d01/" in problem["what"]
    assert ("'F01'" in problem["where"], "'f01'" in problem["where"]) == (True, True)
    assert (export / "attachments" / "f01.txt").read_bytes() == before


def test_what_was_not_uploaded_is_named_file_by_file(moved: Migration, tmp_path: Path) -> None:
    library = tmp_path / "library"
    laid = moved.folder / "sharepoint" / "files"
    shutil.copytree(laid, library)
    assert moved.do("uploaded", str(library)) | {"report": ""} == {
        "files": 7, "same": 7, "rewritten": 0, "changed": 0, "missing": 0, "report": "",
    }  # fmt: skip
    (library / "deal-d01" / "f01 spring menu.txt").unlink()
    (library / "company-c01" / "f06 logo.png").write_bytes(b"another picture")
    (library / "deal-d03" / "holiday.png").write_bytes(b"somebody's own")
    told = moved.do("uploaded", str(library), code=5)
    assert (told["same"], told["changed"], told["missing"]) == (5, 1, 1)
    listed = list(csv.DictReader(Path(told["report"]).read_text(encoding="utf-8").splitlines()))
    assert [(row["target"], row["state"], row["record"]) for row in listed] == [
        ("company-c01/f06 logo.png", "changed", "f06"), ("deal-d01/f01 spring menu.txt", "missing", "f01"),
    ]  # fmt: skip


def test_an_office_document_that_the_library_wrote_its_properties_into_is_told_apart(
    moved: Migration, tmp_path: Path
) -> None:
    library, project = tmp_path / "library", tmp_path / "acme"
    shutil.copytree(moved.folder / "sharepoint" / "files", library)
    shutil.copytree(moved.folder, project)
    (library / "deal-d01" / "f11 bid.docx").write_bytes(b"PK with a library's properties")
    with (project / "sharepoint" / "manifest.csv").open("a", encoding="utf-8") as file:
        file.write("deal-d01/f11 bid.docx,attachments/f11.docx,3,abc,Attachment,f11\n")
    told = Migration(project, moved.url).do("uploaded", str(library), code=3)
    assert (told["same"], told["rewritten"]) == (7, 1)


def test_a_file_of_an_activity_lies_in_the_folder_of_what_the_activity_is_about(moved: Migration) -> None:
    locations = {
        row["relativeurl"]: row["_regardingobjectid_value"] for row in moved.rows("sharepointdocumentlocations")
    }
    meeting = next(row for row in moved.rows("appointments") if row["subject"] == "Fabric samples")
    message = next(row for row in moved.rows("tasks") if row["subject"] == "Hello")
    call = next(row for row in moved.rows("phonecalls") if row["subject"] == "Follow-up on the odd-stage deal")
    notes = {row["subject"]: row["_objectid_value"] for row in moved.rows("annotations")}
    for folder, activity, key, file in (
        ("deal-d03", meeting, "appointment", "fabric list.csv"), ("contact-p08", message, "task", "f08.txt"),
        ("deal-d07", call, "phonecall", "f09.txt"),
    ):  # fmt: skip
        assert locations[folder] == activity["_regardingobjectid_value"]
        assert notes[file] == activity["activityid"], f"the {key} says where its file lies"


def test_no_file_stays_behind_as_a_note_and_all_of_it_closes_and_goes_back(moved: Migration) -> None:
    assert not [row["filename"] for row in moved.rows("annotations") if row["filename"]]
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


def test_without_a_copy_plan_there_is_nothing_to_compare(tmp_path: Path) -> None:
    export = example(tmp_path, has_site=False)
    project = tmp_path / "acme"
    assert flit("new", str(project), "--from", "klipy", "--export", str(export), "--to", "http://127.0.0.1:9").code == 0
    for folder, code in ((tmp_path, "no-copy-plan"), (tmp_path / "nowhere", "no-copy-plan")):
        answer = flit("uploaded", str(folder), "--project", str(project))
        assert (answer.code, set(answer.errors)) == (2, {code})


def other(pack: str, folder: Path, url: str, *, for_contacts: bool) -> Migration:
    """Another pack's example with its files in SharePoint; document management enabled for contacts, or not."""
    export = folder / "export"
    shutil.copytree(load_pack(pack).folder / "example", export)
    scoping = json.loads((export / "scoping.json").read_text()) | {"attachments": "sharepoint"}
    (export / "scoping.json").write_text(json.dumps(scoping))
    org = json.loads((export / "destination" / "org.json").read_text()) | {"sharepoint": True}
    (export / "destination" / "org.json").write_text(json.dumps(org))
    migration = begin(folder / "acme", url, export, pack=pack)
    if for_contacts:
        keep_documents(url, "contact")
    return migration


def test_a_clinics_documents_lie_in_a_folder_of_their_patient(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = other("clinic", tmp_path, url, for_contacts=True)
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
        migration = other("clinic", tmp_path, url, for_contacts=False)
        migration.go(TO_PLAN[:-1])
        problem = migration.run("plan").errors["sharepoint-missing"]
    assert "rows of contact keep no documents" in problem["what"]
    assert "enable document management for the table" in problem["do"]
    assert "attachments: annotation" in problem["do"]


def test_matters_and_leads_have_folders_and_the_table_of_matters_is_made_with_document_management(
    tmp_path: Path,
) -> None:
    with serving(tmp_path / "emulator") as url:
        export = tmp_path / "export"
        migration = other("interactive", tmp_path, url, for_contacts=False)
        with (export / "files.csv").open("a", encoding="utf-8") as file:
            for name, kind, parent in (("F5", "contact", "P1"), ("F6", "activity", "A3"), ("F7", "activity", "A8")):
                file.write(f"{name},files/m1-trust.txt,{name}.txt,text/plain,{kind},{parent},05/20/2023 09:00\n")
        migration.go(TO_PLAN[:-1])
        assert "rows of contact keep no documents" in migration.run("plan").errors["sharepoint-missing"]["what"]
        keep_documents(url, "contact")
        migration.do("run", "--rehearse", code={0, 3})
        about = {
            row["relativeurl"]: row["_regardingobjectid_value"] for row in migration.rows("sharepointdocumentlocations")
        }
        assert set(about) == {"MigratedDocuments", "matter-M1", "contact-P4", "contact-P1"}
        matters = {row["flit_matterid"] for row in migration.rows("flit_matters")}
        leads = {row["leadid"] for row in migration.rows("leads")}
        contacts = {row["contactid"] for row in migration.rows("contacts")}
        assert about["matter-M1"] in matters
        assert about["contact-P4"] in leads
        assert about["contact-P1"] in contacts
        laid = migration.folder / "sharepoint" / "files"
        assert (laid / "matter-M1" / "F6 F6.txt").exists(), "the meeting is about the matter"
        held = {f["record"] for f in migration.do("findings") if f["object"] == "File" and f["code"] == "orphan_parent"}
        assert held == {"F7"}
        assert migration.do("reconcile", code={0, 3})["differences"] == 0
        assert migration.do("rollback", "--schema")["equal"]
