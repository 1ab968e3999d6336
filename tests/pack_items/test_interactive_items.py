"""Interactive's checklist on its example: lifecycle, companies, pipelines, matters, and both outcomes of its decisions."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from pack_items.item_case import Landed, land, walked


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    return land("interactive", tmp_path_factory.mktemp("interactive"))


def test_lifecycle_decides_between_lead_and_contact_and_is_kept(firm: Landed) -> None:
    leads, contacts = firm.of("Contact.lead"), firm.of("Contact.contact")
    assert (set(leads), set(contacts)) == ({"P3", "P4"}, {"P1", "P2", "P5", "P6"})
    assert (leads["P3"]["flit_lifecyclestageraw"], leads["P3"]["statuscode"]) == ("Sales_Qualified", "Contacted")
    assert (leads["P4"]["flit_lifecyclestage"], leads["P4"]["statuscode"]) == ("prospect", "New")
    assert contacts["P1"]["flit_lifecyclestageraw"] == "customer"
    assert firm.records("unknown_choice", "loaded") == ["P6"]


def test_companies_keep_their_hierarchy_and_loops_lose_one_link(firm: Landed) -> None:
    companies = firm.of("Company.company")
    assert companies["K2"]["parentaccountid"] == "account K1"
    assert [companies[key]["parentaccountid"] for key in ("K4", "K5", "K6", "K7")] == [
        None,
        "account K4",
        "account K5",
        None,
    ]
    assert firm.of("Company.placeholder")["K3"]["flit_isplaceholder"] is True
    assert firm.records("placeholder_created") == ["K3"]


def test_a_person_has_its_primary_company_and_connections_to_the_others(firm: Landed) -> None:
    assert firm.of("Contact.contact")["P1"]["parentcustomerid"] == "account K1"
    assert firm.of("Contact.lead")["P3"]["parentaccountid"] == "account K2"
    links = {key: (row["record1id"], row["record2id"]) for key, row in firm.of("ContactCompany.association").items()}
    assert links == {"P1-K2": ("contact P1", "account K2"), "P3-K1": ("lead P3", "account K1")}
    roles = {row["name"] for row in firm.of("ContactCompany.association_role").values()}
    assert {"board member", "former employer"} <= roles


def test_contacts_without_a_company_share_one_fallback_account(firm: Landed) -> None:
    assert list(firm.of("Contact.fallback")) == ["P2"]
    assert {firm.of("Contact.contact")[key]["parentcustomerid"] for key in ("P2", "P6")} == {"account P2"}


def test_stages_are_read_within_their_pipeline_with_its_probability(firm: Landed) -> None:
    deals = firm.of("Deal.deal")
    told = {key: (row["flit_pipeline"], row["flit_dealstage"], row["closeprobability"]) for key, row in deals.items()}
    assert told["D2"] == ("Upkeep", "Inquiry", 40)
    assert told["D3"] == ("Planning", "Proposal", 55)
    assert firm.records("unknown_choice", "held") == ["A7", "D4"], "a stage of the other pipeline"
    assert (deals["D1"]["_action"], deals["D6"]["_action"], deals["D2"]["_action"]) == ("win", "lose", None)
    assert [deals[key]["msdyn_forecastcategory"] for key in ("D1", "D2", "D6")] == ["Won", "Pipeline", "Lost"]
    assert deals["D1"]["estimatedvalue"] == Decimal("12500.00")


def test_a_deal_whose_contact_became_a_lead_names_it_as_originating_lead(firm: Landed) -> None:
    deal = firm.of("Deal.deal")["D3"]
    assert (deal["customerid"], deal["originatingleadid"]) == ("account P2", "lead P4")
    assert firm.records("deal_on_lead") == ["D3"]


def test_activities_keep_time_zone_parent_and_custom_attributes(firm: Landed) -> None:
    call, meeting = firm.of("Activity.call")["A1"], firm.of("Activity.meeting")["A3"]
    assert (call["flit_calloutcome"], call["flit_billable"], call["regardingobjectid"]) == (
        "Connected",
        True,
        "contact P1",
    )
    assert call["overriddencreatedon"].isoformat() == "2023-05-02T18:00:00+00:00", "14:00 in New York"
    assert meeting["regardingobjectid"] == "flit_matter M1"
    assert firm.of("Activity.task")["A6"]["regardingobjectid"] == "lead P4"
    assert firm.records("end_before_start", "held") == ["A4"]


def test_notes_keep_safe_markup_and_lose_the_rest(firm: Landed) -> None:
    notes = firm.of("Note.note")
    assert notes["N1"]["notetext"] == "<p>Wants a <b>trust</b></p><ul><li>two children</li></ul>"
    assert (notes["N2"]["notetext"], notes["N2"]["objectid"]) == ("<p>Budget</p>", "lead P3")
    assert notes["N1"]["overriddencreatedon"].isoformat() == "2023-06-01T16:00:00+00:00"
    assert firm.records("unsafe_html") == ["A2", "N2"]


def test_files_keep_name_type_date_and_record(firm: Landed) -> None:
    file = firm.of("File.file")["F1"]
    assert (file["filename"], file["mimetype"], file["objectid"]) == (
        "Trust - signed.txt",
        "text/plain",
        "flit_matter M1",
    )
    assert file["overriddencreatedon"].isoformat() == "2023-05-16T13:00:00+00:00"
    assert (firm.records("empty_file", "held"), firm.records("file_missing", "held")) == (["F3"], ["F4"])


def test_matters_and_assets_are_tables_with_their_clients_and_parties(firm: Landed) -> None:
    matter = firm.of("Matter.matter")
    assert (matter["M1"]["flit_client1id"], matter["M1"]["flit_client2id"]) == ("contact P1", "contact P2")
    assert matter["M3"]["flit_client1leadid"] == "lead P4"
    assert firm.of("Asset.asset")["S1"]["flit_matterid"] == "flit_matter M1"
    party = firm.of("MatterParty.party")["M1-P4-trustee"]
    assert (party["record1id"], party["record2id"]) == ("flit_matter M1", "lead P4")
    assert set(firm.records("orphan_parent", "held")) >= {"S3", "M99-P1-executor"}


def test_spouses_are_joined_once_however_many_matters_they_share(firm: Landed) -> None:
    (spouses,) = firm.of("Matter.spouses").values()
    assert (spouses["record1id"], spouses["record2id"]) == ("contact P1", "contact P2")
    assert spouses["record1roleid"] == spouses["record2roleid"] is not None


PROCESSES = {"Estate sales": ["Inquiry", "Proposal", "Signed"], "Upkeep": ["Ask", "Check", "Renewed"]}


def test_each_pipeline_has_its_process_and_stages_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    told = land(
        "interactive", tmp_path, processes=PROCESSES, stage_process="follow", process_names={"planning": "Estate sales"},
        process_stages={"Upkeep / Inquiry": "Check"},
    )  # fmt: skip
    estate = told.of("Deal.process_opportunitysalesprocess")
    upkeep = told.of("Deal.process_leadtoopportunitysalesprocess")
    assert {key: row["traversedpath"].split(",") for key, row in estate.items()} == {
        "D1": walked("Estate sales", "Inquiry; Proposal; Signed"), "D3": walked("Estate sales", "Inquiry; Proposal"),
        "D6": walked("Estate sales", "Inquiry"),
    }  # fmt: skip
    assert [(estate[key]["_state"], estate[key]["_status"]) for key in ("D1", "D3", "D6")] == [
        (1, 2), (None, None), (1, 3),
    ]  # fmt: skip
    assert [row["traversedpath"].split(",") for row in upkeep.values()] == [walked("Upkeep", "Ask; Check")]
    assert told.records("stage_without_process", "listed") == told.records("pipeline_without_process", "listed") == []


def test_a_pipeline_without_process_is_told_and_its_deals_stand_in_none(tmp_path: Path) -> None:
    told = land("interactive", tmp_path, processes=PROCESSES, stage_process="follow")
    assert not told.of("Deal.process_opportunitysalesprocess")
    assert told.records("pipeline_without_process", "listed") == ["D1", "D3", "D6"]
    assert told.records("stage_without_process", "listed") == ["D2"], "Upkeep's process has no Inquiry"
    assert told.of("Deal.deal")["D3"]["flit_dealstage"] == "Proposal"


# Decisions other than the example's, several at once where they do not touch each other.
OTHERS: dict[str, dict[str, object]] = {
    "leads": {
        "lifecycle_default": "lead",
        "contact_without_company": "none",
        "unknown_stage": "blank",
        "custom_objects": ["matter"],
    },
    "few": {
        "lifecycle_routing": {"prospect": "lead"},
        "lead_status": {"prospect": "Contacted"},
        "fallback_account": "House",
        "custom_objects": [],
    },
    "own": {"contact_without_company": "placeholder_account"},
}
OUTCOMES: list[tuple[str, str, Callable[[Landed], object], object]] = [
    ("leads", "lifecycle_default", lambda told: sorted(told.of("Contact.lead")), ["P3", "P4", "P6"]),
    ("leads", "contact_without_company", lambda told: told.of("Contact.contact")["P2"]["parentcustomerid"], None),
    ("leads", "unknown_stage", lambda told: told.of("Deal.deal")["D4"]["flit_dealstage"], None),
    ("leads", "custom_objects", lambda told: {"flit_matter", "flit_asset"} & told.tables(), {"flit_matter"}),
    ("few", "lifecycle_routing", lambda told: sorted(told.of("Contact.lead")), ["P4"]),
    ("few", "lead_status", lambda told: told.of("Contact.lead")["P4"]["statuscode"], "Contacted"),
    ("few", "fallback_account", lambda told: told.of("Contact.fallback")["P2"]["name"], "House"),
    (
        "own",
        "contact_without_company",
        lambda told: (
            told.of("Contact.contact")["P2"]["parentcustomerid"],
            [(key, row["flit_isplaceholder"]) for key, row in told.of("Contact.own_placeholder").items()],
            list(told.of("Contact.fallback")),
        ),
        ("account P2", [("P2", True), ("P6", True)], []),
    ),
    ("few", "custom_objects", lambda told: {"flit_matter", "flit_asset"} & told.tables(), set()),
]  # fmt: skip


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Landed]:
    return {name: land("interactive", tmp_path_factory.mktemp(name), **decided) for name, decided in OTHERS.items()}


@pytest.mark.parametrize(("which", "decision", "seen", "wanted"), OUTCOMES)
def test_another_decision_has_another_outcome(
    others: dict[str, Landed], which: str, decision: str, seen: Callable[[Landed], object], wanted: object
) -> None:
    assert decision in OTHERS[which]
    assert seen(others[which]) == wanted
