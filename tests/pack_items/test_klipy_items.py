"""Klipy's checklist on its example: what each kind of record becomes, and both outcomes of every decision."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from pack_items.item_case import Landed, land, walked


@pytest.fixture(scope="module")
def klipy(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    return land("klipy", tmp_path_factory.mktemp("klipy"))


def test_contacts_keep_one_row_an_address_with_the_best_name(klipy: Landed) -> None:
    rows = klipy.of("Contact.contact")
    addresses = [row["emailaddress1"] for row in rows.values()]
    assert len(addresses) == len(set(addresses)) == 10
    assert (rows["p04"]["firstname"], rows["p04"]["lastname"]) == ("John", "Quarry")
    assert (rows["p01"]["overriddencreatedon"].isoformat(), rows["p01"]["flit_relationshipstrength"]) == (
        "2024-01-18T09:00:00+00:00", 91,
    )  # fmt: skip
    assert rows["p08"]["lastname"] == "van der Berg"


def test_companies_come_before_contacts_that_point_to_them_with_a_bare_host(klipy: Landed) -> None:
    assert klipy.of("Company.account")["c06"]["websiteurl"] == "ozturktekstil.example"
    assert klipy.of("Contact.contact")["p05"]["parentcustomerid"] == "account c06"
    phases = klipy.prepared.pack.playbook["phases"]
    assert phases.index("accounts") < phases.index("contacts")


def test_deals_keep_stage_value_and_customer_and_close_as_they_were(klipy: Landed) -> None:
    rows = klipy.of("Deal.opportunity")
    assert (rows["d03"]["flit_dealstage"], rows["d03"]["closeprobability"]) == ("Proposal", 50)
    assert (rows["d01"]["_action"], rows["d01"]["_state_value"]) == ("win", Decimal("12500.0000"))
    assert (rows["d04"]["_action"], rows["d02"]["_action"]) == ("lose", None)
    assert (rows["d01"]["customerid"], rows["d05"]["customerid"]) == ("account c01", "contact p07")
    assert rows["d01"]["parentcontactid"] == "contact p01"


def test_stages_are_the_pipelines_own_in_their_order(klipy: Landed) -> None:
    (route,) = [route for route in klipy.document.routes if route.table == "opportunity"]
    (stage,) = [column for column in route.columns if column.name == "flit_dealstage"]
    assert stage.create is not None
    assert [label for _, label in stage.create["options"]] == [
        "Prospecting", "Discovery", "Proposal", "Negotiation", "Closed Won", "Closed Lost",
    ]  # fmt: skip


def test_each_channel_becomes_its_activity_with_the_original_time(klipy: Landed) -> None:
    assert set(klipy.of("Activity.mail")) == {"a01", "a02"}
    call = klipy.of("Activity.call")["a03"]
    assert (call["actualdurationminutes"], call["flit_durationseconds"], call["directioncode"]) == (26, 1530, True)
    assert call["overriddencreatedon"].isoformat() == "2024-02-20T14:00:00+00:00"
    meeting = klipy.of("Activity.meeting")["a04"]
    assert meeting["scheduledend"].isoformat() == "2024-03-28T11:30:00+00:00"
    channels = {key: row["flit_channel"] for key, row in klipy.of("Activity.message").items()}
    assert channels == {"a05": "WhatsApp", "a06": "LinkedIn", "a07": "Telegram"}
    assert klipy.of("Activity.call")["a12"]["regardingobjectid"] == "contact p04", "its deal is held"


def test_people_take_part_in_mail_and_meetings(klipy: Landed) -> None:
    inbound, outbound = klipy.of("Activity.mail")["a01"]["_parties"], klipy.of("Activity.mail")["a02"]["_parties"]
    assert [(one["mask"], one["table"]) for one in inbound] == [(1, "contact"), (2, "owner")]
    assert [(one["mask"], one["table"]) for one in outbound] == [(1, "owner"), (2, "contact")]


def test_notes_keep_safe_markup_and_a_companion_row_says_what_ai_wrote(klipy: Landed) -> None:
    notes, details = klipy.of("Note.note"), klipy.of("Note.notedetail")
    assert notes["n01"]["notetext"] == "<p>Wants delivery <b>before noon</b>.</p><ul><li>cash on delivery</li></ul>"
    assert notes["n03"]["notetext"] == "<div><p>Budget is fixed.</p></div>"
    assert {key: (row["flit_aigenerated"], row["flit_notestatus"]) for key, row in details.items()} == {
        "n01": (True, "Approved"), "n02": (False, None), "n03": (True, "Draft"),
    }  # fmt: skip


def test_files_hang_on_their_record_and_those_that_cannot_move_are_named(klipy: Landed) -> None:
    files = klipy.of("Attachment.file")
    assert {key: row["objectid"] for key, row in files.items()} == {
        "f01": "opportunity d01", "f02": "appointment a04", "f06": "account c01",
    }  # fmt: skip
    assert (files["f06"]["mimetype"], files["f02"]["filename"]) == ("image/png", "fabric list.csv")
    assert [klipy.records(code, "held") for code in ("empty_file", "blocked_type", "file_missing")] == [
        ["f03"], ["f04"], ["f05"],
    ]  # fmt: skip


def test_further_stakeholders_of_a_deal_are_connections_with_their_role(tmp_path: Path) -> None:
    people = "john@quarrysons.example;hanako@quarrysons.example;nobody@elsewhere.example,Quarry"
    told = land("klipy", tmp_path, written={"deals.csv": ("75,john@quarrysons.example,Quarry", f"75,{people}")})
    assert told.of("Deal.opportunity")["d02"]["parentcontactid"] == "contact p04"
    (row,) = told.of("Deal.stakeholder").values()
    assert (row["record1id"], row["record2id"]) == ("opportunity d02", "contact p14")
    assert row["record2roleid"] is not None
    assert [each["name"] for each in told.of("Deal.stakeholder_role").values()] == ["Stakeholder"]


PROCESS = {"Sales": ["Qualify", "Discovery", "Proposal", "Haggling", "Close"]}


def test_deals_stand_in_the_administrators_process_where_it_is_asked_for(tmp_path: Path) -> None:
    told = land(
        "klipy", tmp_path, processes=PROCESS, stage_process="follow", process_stages={"Negotiation": "haggling"}
    )
    rows = told.of("Deal.process_opportunitysalesprocess")
    paths = {key: row["traversedpath"].split(",") for key, row in rows.items()}
    whole = walked("Sales", "Qualify; Discovery; Proposal; Haggling; Close")
    assert paths == {
        "d01": whole, "d02": whole[:4], "d03": whole[:3], "d04": whole[:1], "d05": whole[:2], "d09": whole[:2],
    }  # fmt: skip
    assert {key: (row["_state"], row["_status"]) for key, row in rows.items() if row["_action"]} == {
        "d01": (1, 2), "d04": (1, 3),
    }  # fmt: skip
    assert rows["d02"]["opportunityid"] == "opportunity d02"
    deals = told.of("Deal.opportunity")
    assert {str(row["processid"]) for row in deals.values()} == {"00000000-0000-0000-0000-000000000000"}
    assert deals["d02"]["flit_dealstage"] == "Negotiation", "the choice column keeps the source's own word"


def test_without_being_asked_no_deal_is_put_in_a_process(klipy: Landed) -> None:
    assert "opportunitysalesprocess" not in klipy.tables()
    assert "processid" not in klipy.of("Deal.opportunity")["d01"]


# Decisions other than the example's, several at once where they do not touch each other.
OTHERS: dict[str, dict[str, object]] = {
    "tasks": {
        "call_table": "task",
        "unknown_stage": "blank",
        "tag_strategy": "multiselect",
        "attachments": "link",
        "automated_senders": "exclude",
        "internal_addresses": "exclude",
    },
    "links": {"tag_strategy": "table", "attachments": "link", "attachment_link": "https://files.acme.example/k/"},
    "small": {"tag_strategy": "text", "attachment_limit_kb": 0.1, "free_mail_domains": []},
}
OUTCOMES: list[tuple[str, str, Callable[[Landed], object], object]] = [
    ("tasks", "call_table", lambda told: sorted(told.of("Activity.message")), ["a03", "a05", "a06", "a07", "a12"]),
    ("tasks", "unknown_stage", lambda told: told.of("Deal.opportunity")["d07"]["flit_dealstage"], None),
    ("tasks", "tag_strategy", lambda told: told.of("Contact.contact")["p14"]["flit_tags"], ["Hot Lead", "Reseller"]),
    ("tasks", "attachments", lambda told: told.records("link_unknown", "held"), ["f01", "f02", "f03", "f04", "f05", "f06"]),
    ("tasks", "automated_senders", lambda told: "p09" in told.of("Contact.contact"), False),
    ("tasks", "internal_addresses", lambda told: "p10" in told.of("Contact.contact"), False),
    ("links", "tag_strategy", lambda told: "flit_tag" in told.tables(), True),
    ("links", "attachment_link", lambda told: told.of("Attachment.filelink")["f06"]["notetext"], "https://files.acme.example/k/attachments/f06.png"),
    ("small", "tag_strategy", lambda told: told.of("Contact.contact")["p14"]["flit_tags"], "Reseller, Hot Lead"),
    ("small", "attachment_limit_kb", lambda told: told.records("file_too_large", "held"), ["f06"]),
    ("small", "free_mail_domains", lambda told: told.of("Contact.contact")["p07"]["parentcustomerid"], "account c05"),
]  # fmt: skip


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Landed]:
    return {name: land("klipy", tmp_path_factory.mktemp(name), **decided) for name, decided in OTHERS.items()}


@pytest.mark.parametrize(("which", "decision", "seen", "wanted"), OUTCOMES)
def test_another_decision_has_another_outcome(
    others: dict[str, Landed], which: str, decision: str, seen: Callable[[Landed], object], wanted: object
) -> None:
    assert decision in OTHERS[which]
    assert seen(others[which]) == wanted
