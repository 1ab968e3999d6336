"""`flitstack inventory`: definitions are read from the export, what it does not say is asked, nothing is invented."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from route.route_case import flit

from flitstack.packs.automations import counterpart_of, named_object, read_automations
from flitstack.packs.read import load_pack, pack_names


def staged(folder: Path, pack: str, export: Path) -> Path:
    """A project with the export staged; no destination is asked."""
    project = folder / "acme"
    made = flit("new", str(project), "--from", pack, "--export", str(export), "--scoping", str(export / "scoping.json"))
    assert made.code == 0, made.stdout
    assert flit("stage", "--project", str(project)).code in {0, 3}
    return project


def inventory(project: Path) -> dict[str, Any]:
    answer = flit("inventory", "--project", str(project))
    assert answer.code == 0, answer.stdout
    return dict(answer.document)


def test_workflows_of_the_export_are_listed_with_what_rebuilds_trigger_and_actions(tmp_path: Path) -> None:
    project = staged(tmp_path, "interactive", load_pack("interactive").folder / "example")
    told = inventory(project)
    found = {each["id"]: each for each in told["automations"]}
    assert (found["W1"]["title"], found["W1"]["enabled"], found["W2"]["enabled"]) == ("Welcome", True, False)
    assert (found["W1"]["trigger"], found["W1"]["object"]) == ("contact created", "Contact")
    assert found["W1"]["tables"] == ["lead", "contact"]
    assert "change type Added" in found["W1"]["trigger_counterpart"]
    (action,) = found["W1"]["actions"]
    assert (action["action"], action["detail"]) == ("send_email", "Welcome")
    assert "Send an email (V2)" in action["counterpart"]
    assert "Workflows and sequences" not in {each["kind"] for each in told["questions"]}
    assert {each["file"] for each in told["left_behind"]} == {"hotdocs/M1.anx", "clause_library/trusts.cmp"}
    written = json.loads((project / "reports" / "inventory.json").read_text())
    assert written == {name: value for name, value in told.items() if name != "report"}
    assert "Send an email (V2)" in (project / "reports" / "inventory.html").read_text()


def test_without_definitions_the_customer_is_asked(tmp_path: Path) -> None:
    export = tmp_path / "export"
    shutil.copytree(load_pack("interactive").folder / "example", export)
    (export / "workflows.json").unlink()
    told = inventory(staged(tmp_path, "interactive", export))
    assert told["automations"] == []
    asked = {each["kind"]: each for each in told["questions"]}["Workflows and sequences"]
    assert "list name, trigger, condition and actions" in asked["question"]


def test_what_nobody_knows_is_to_be_clarified(tmp_path: Path) -> None:
    export = tmp_path / "export"
    shutil.copytree(load_pack("voopty").folder / "example", export)
    rules = [{"name": "Renewal", "when": "subscription_expires"}, {"name": "Odd", "when": "moon", "action": "dance"}]
    (export / "settings.json").write_text(json.dumps({"automations": rules}))
    told = inventory(staged(tmp_path, "voopty", export))
    found = {each["title"]: each for each in told["automations"]}
    assert found["Renewal"]["object"] == "Subscription"
    assert "Recurrence" in found["Renewal"]["trigger_counterpart"]
    assert (found["Renewal"]["actions"], found["Renewal"]["is_recognised"]) == ([], False)
    assert found["Odd"]["trigger_counterpart"] == ""
    assert [one["counterpart"] for one in found["Odd"]["actions"]] == [""]
    assert "Campaigns" in {each["kind"] for each in told["questions"]}


def test_before_staging_there_is_nothing_to_read(tmp_path: Path) -> None:
    export = load_pack("klipy").folder / "example"
    flit("new", str(tmp_path / "acme"), "--from", "klipy", "--export", str(export))
    answer = flit("inventory", "--project", str(tmp_path / "acme"))
    assert (answer.code, list(answer.errors)) == (2, ["not-staged"])


@pytest.mark.parametrize("name", pack_names())
def test_every_pack_says_what_its_source_automates_and_asks_for_it(name: str) -> None:
    entries = read_automations(load_pack(name).playbook)
    assert entries
    assert all("?" in entry.question and entry.counterpart and entry.by_hand for entry in entries)


@pytest.mark.parametrize(
    ("kind", "text", "part"),
    [
        ("triggers", "stageChanged", "stage or status as column filter"),
        ("triggers", "New lead", "change type Added"),
        ("actions", "set_status", "stage column"),
        ("actions", "Send WhatsApp message", "messaging channel"),
        ("actions", "move card", "Update a row"),
    ],
)
def test_words_of_a_source_meet_the_counterpart(kind: str, text: str, part: str) -> None:
    known = counterpart_of(kind, text)
    assert known is not None
    assert part in known.counterpart


def test_a_trigger_names_the_object_it_is_about() -> None:
    objects = load_pack("voopty").objects
    assert [named_object(text, objects) for text in ("New student", "subscription_expires", "companies", "")] == [
        "Student", "Subscription", "", "",
    ]  # fmt: skip
