"""Gotchas as checks: what `status` and `plan` say of them before and after the evidence is there."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route.route_case import TO_PLAN, Migration, begin, flit, serving

from flitstack.packs.read import load_pack, pack_names


def export_of(pack: str, folder: Path, **scoping: Any) -> Path:
    """A copy of a pack's example, with other decisions; None takes one out."""
    export = folder / f"{pack}-export"
    shutil.copytree(load_pack(pack).folder / "example", export)
    chosen = json.loads((export / "scoping.json").read_text()) | scoping
    (export / "scoping.json").write_text(json.dumps({k: v for k, v in chosen.items() if v is not None}))
    return export


def staged(pack: str, export: Path, folder: Path) -> Path:
    """A project with the export staged; no destination is asked."""
    project = folder / pack
    flit("new", str(project), "--from", pack, "--export", str(export), "--scoping", str(export / "scoping.json"))
    assert flit("stage", "--project", str(project)).code in {0, 3}
    return project


def checks(project: Path) -> dict[str, dict[str, str]]:
    """The checks that status gives, by name."""
    return {check["name"]: check for check in flit("status", "--project", str(project)).document["checks"]}


def told(project: Path, name: str) -> tuple[str, str]:
    check = checks(project)[name]
    return check["state"], check["evidence"]


@pytest.mark.parametrize("name", pack_names())
def test_every_pack_states_its_gotchas_as_checks_with_evidence(tmp_path: Path, name: str) -> None:
    found = checks(staged(name, export_of(name, tmp_path), tmp_path))
    assert {"Licence and custom tables", "Request budget", "Owners of activities", "Export path"} < found.keys()
    assert all(check["evidence"] and check["says"] and check["do"] for check in found.values())
    assert {check["state"] for check in found.values()} <= {"pass", "warn", "block", "waiting"}
    assert found["Licence and custom tables"]["state"] == "waiting"
    if name == "planports":
        assert found["Users that are paid for"]["evidence"] == "the export holds 3 records of User, 3 are the least"


def test_a_source_without_an_api_warns_until_the_export_path_is_confirmed(tmp_path: Path) -> None:
    export = export_of("klipy", tmp_path)
    project = staged("klipy", export, tmp_path)
    assert told(project, "Export path")[0] == "warn"
    flit("approve", "export", "--project", str(project), "--as", "ana")
    state, evidence = told(project, "Export path")
    assert state == "pass"
    assert evidence.startswith("the export was approved by ana at ")
    (export / "companies.csv").unlink()
    flit("stage", "--project", str(project))
    assert told(project, "Export path") == ("block", "the export holds no Company")


def test_files_that_only_the_source_can_use_are_told(tmp_path: Path) -> None:
    project = staged("interactive", export_of("interactive", tmp_path), tmp_path)
    state, evidence = told(project, "What only the product can use")
    assert (state, evidence.split(",")[0]) == ("warn", "2 not_portable")
    for folder in ("hotdocs", "clause_library"):
        shutil.rmtree(tmp_path / "interactive-export" / folder)
    assert flit("stage", "--project", str(project)).code in {0, 3}
    assert told(project, "What only the product can use")[0] == "pass"


def test_the_roles_of_staff_are_listed_for_the_administrator(tmp_path: Path) -> None:
    export = export_of("voopty", tmp_path, role_map={"Teacher": "Salesperson"})
    evidence = told(staged("voopty", export, tmp_path), "Roles of staff")[1]
    assert evidence == "1 Administrator: not decided; 2 Teacher: Salesperson; 1 roles are not decided"


def test_a_decision_that_must_be_taken_warns_while_it_is_not(tmp_path: Path) -> None:
    project = staged("voopty", export_of("voopty", tmp_path, as_of=None), tmp_path)
    assert told(project, "What an active client is") == ("warn", "as_of is not answered")
    file = project / "decisions.yaml"
    text = file.read_text()
    assert "option: ''" in text or 'option: ""' in text
    head, _, tail = text.partition("as_of:")
    tail = tail.replace("option: ''", "option: '2025-10-31'", 1).replace("by: default", "by: ana", 1)
    file.write_text(f"{head}as_of:{tail}")
    assert told(project, "What an active client is") == ("pass", "as_of: 2025-10-31, by ana")


@pytest.fixture(scope="module")
def klipy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Migration, dict[str, dict[str, str]]]]:
    """Klipy's example planned with a tiny limit for files, and its checks as the plan tells them."""
    folder = tmp_path_factory.mktemp("klipy")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export_of("klipy", folder, attachment_limit_kb=0.1))
        migration.go(TO_PLAN[:-1])
        planned = migration.do("plan", code={0, 3})
        yield migration, {check["name"]: check for check in planned["checks"]}


def test_a_stage_that_no_pipeline_has_warns_with_its_records(
    klipy: tuple[Migration, dict[str, dict[str, str]]],
) -> None:
    check = klipy[1]["Stages of the source's own"]
    assert (check["state"], check["evidence"]) == ("warn", "1 unknown_choice, first deals.csv record d07")


def test_files_above_the_limit_warn_with_their_number_and_the_largest(
    klipy: tuple[Migration, dict[str, dict[str, str]]],
) -> None:
    check = klipy[1]["Size of attachments"]
    assert check["state"] == "warn"
    assert "5 files, " in check["evidence"]
    assert "the environment takes 3.8 MB a file, the customer's own limit is 0.1 KB" in check["evidence"]
    assert "the 128.0 MB that are told of this source are more than the platform takes here" in check["evidence"]
    assert check["evidence"].endswith("; 1 files are larger and are held")


def test_custom_tables_are_counted_against_the_licence(klipy: tuple[Migration, dict[str, dict[str, str]]]) -> None:
    check = klipy[1]["Licence and custom tables"]
    assert (check["state"], check["evidence"]) == (
        "pass", "the plan makes 1 custom tables (flit_notedetail); the environment's licence is enterprise",
    )  # fmt: skip
    assert klipy[1]["Request budget"]["state"] == "pass"


def test_disabled_owners_of_activities_warn_and_block_while_nobody_settled_them(
    klipy: tuple[Migration, dict[str, dict[str, str]]],
) -> None:
    migration, found = klipy
    check = found["Owners of activities"]
    assert check["state"] == "warn"
    assert check["evidence"].endswith("they go to fallback@northbeam.example")
    file = migration.folder / "decisions.yaml"
    file.write_text(file.read_text().replace("option: fallback\n", "option: block\n"))
    planned = migration.do("plan", code={0, 3})
    blocked = next(check for check in planned["checks"] if check["name"] == "Owners of activities")
    assert blocked["state"] == "block"
    assert "owners are not settled" in blocked["evidence"]
    page = migration.do("report")["reports"]
    assert any(path.endswith("checks.html") for path in page)


@pytest.fixture(scope="module")
def planports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Planports' example with a column of the customer's own: its checks after staging and after planning."""
    folder = tmp_path_factory.mktemp("planports")
    export = export_of("planports", folder)
    path = export / "contacts.csv"
    with path.open(encoding="cp1254", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    with path.open("w", encoding="cp1254", newline="") as file:
        csv.writer(file, delimiter=";").writerows(
            [[*rows[0], "Favourite colour"], *([*row, "blue"] for row in rows[1:])]
        )
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export, pack="planports")
        migration.do("stage", code={0, 3})
        before = checks(migration.folder)
        migration.go(TO_PLAN[1:-1])
        planned = migration.do("plan", code={0, 3})
        yield before, {check["name"]: check for check in planned["checks"]}


def test_columns_the_pack_does_not_know_are_told_until_they_are_decided(
    planports: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    before, after = (found["Industry fields"] for found in planports)
    assert before["state"] == "warn"
    assert "Contact.Favourite colour" in before["evidence"]
    assert after["state"] == "pass"
    assert after["evidence"].endswith("each is decided in the map")


def test_whatsapp_chats_that_meet_no_card_warn_with_their_number(
    planports: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    check = planports[1]["WhatsApp history"]
    assert check["state"] == "warn"
    assert check["evidence"] == "3 chats with 8 messages are read; 1 notes of them meet no card or several"


def test_payers_that_nobody_agreed_on_are_named_with_how_many_records(tmp_path: Path) -> None:
    export = export_of("clinic", tmp_path)
    project = staged("clinic", export, tmp_path)
    assert told(project, "Payers") == (
        "warn",
        "2 that payer_aliases does not name, with how many records: Aetna (1), Sunrise Mutual (1)",
    )
    agreed = {"BCBS": "Blue Cross Blue Shield", "sunrise mutual": "Sunrise", "-": "Aetna"}
    other = tmp_path / "agreed"
    other.mkdir()
    project = staged("clinic", export_of("clinic", other, payer_aliases=agreed), other)
    assert told(project, "Payers") == ("pass", "payer_aliases names every carrier of Insurance")
