"""Planports' checklist on its example: the split, ad leads, quotes and orders, boards, WhatsApp, and its decisions."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from pack_items.item_case import Landed, land, walked


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    return land("planports", tmp_path_factory.mktemp("planports"))


def test_cards_with_business_or_a_qualified_status_are_contacts_the_others_leads(crm: Landed) -> None:
    contacts = crm.of("Contact.contact")
    assert set(crm.of("Contact.card_lead")) == {"K-6"}
    assert {"K-2", "K-4"} <= set(contacts), "qualified by status alone"
    assert all(row["parentcustomerid"] for row in contacts.values())
    assert contacts["K-1"]["parentcustomerid"] == contacts["K-2"]["parentcustomerid"], "one company in two spellings"
    assert contacts["K-4"]["parentcustomerid"] == "account K-4", "individuals share an account"


def test_whatsapp_references_are_columns_and_chats_become_a_note_a_day(crm: Landed) -> None:
    card = crm.of("Contact.contact")["K-1"]
    assert (card["flit_whatsappdirection"], card["flit_whatsappcount"]) == ("Inbound", 5)
    assert crm.of("Contact.card_lead")["K-6"]["flit_whatsapplast"].isoformat().startswith("2025-03-14T05:05")
    chats = list(crm.of("ChatMessage.chat").values())
    assert sorted((row["subject"], row["objectid"]) for row in chats) == [
        ("WhatsApp 2025-03-11 (2)", "contact K-1"), ("WhatsApp 2025-03-12 (2)", "contact K-1"), ("WhatsApp 2025-03-14 (2)", "lead K-6"),
    ]  # fmt: skip
    assert "whatsapp/Unknown Person.txt#1" in crm.records("orphan_parent", "held")


def test_ad_leads_meet_their_crm_lead_by_the_external_id(crm: Landed) -> None:
    lead = crm.of("Lead.lead")["L-1"]
    assert (lead["flit_adid"], lead["flit_adsetid"], lead["flit_campaignid"], lead["flit_adformid"]) == (
        "901",
        "902",
        "903",
        "700100",
    )
    assert (lead["flit_leadsourcedetail"], lead["flit_leadscore"], lead["telephone1"]) == ("Meta", 64, "+905320000001")
    assert lead["flit_sourcecreatedon"].isoformat() == "2025-02-10T09:00:00+00:00"
    assert set(crm.of("AdLead.ad_lead")) == {"880001", "l:500101"}
    assert crm.of("AdLead.ad_lead")["l:500101"]["flit_isorganic"] is True
    assert crm.records("joined_lead", "merged") == ["GCL-200", "l:500100"]


def test_deals_stand_in_the_stage_of_their_pipeline_with_industry_columns(crm: Landed) -> None:
    deals = crm.of("Deal.opportunity")
    assert deals["F-1"]["flit_pipelinestage"] == "Sağlık Turizmi / Teklif Verildi"
    assert (deals["F-1"]["flit_treatmentpackage"], deals["F-2"]["flit_propertyid"]) == ("Implant", "P-77")
    assert (deals["F-4"]["flit_campaigncode"], deals["F-4"]["flit_adspend"]) == ("CMP-1", Decimal("99.90"))
    assert (deals["F-2"]["_action"], deals["F-4"]["_action"], deals["F-1"]["_action"]) == ("win", "lose", None)
    assert (deals["F-2"]["customerid"], deals["F-2"]["parentaccountid"]) == ("contact K-3", "account K-3")
    assert "F-3" in crm.records("unknown_choice", "held")


def test_quotes_keep_lines_price_list_and_approval(crm: Landed) -> None:
    quotes = crm.of("Quote.quote")
    assert {key: row["flit_approvalstatus"] for key, row in quotes.items()} == {
        "T-1": "Onaylandı", "T-2": "Bekliyor", "T-3": "Reddedildi",
    }  # fmt: skip
    assert (quotes["T-1"]["opportunityid"], quotes["T-1"]["pricelevelid"]) == ("opportunity F-1", "pricelevel T-1")
    line = crm.of("QuoteLine.line")["T-1-1"]
    assert (line["quoteid"], line["productid"], line["manualdiscountamount"]) == (
        "quote T-1",
        "product U-1",
        Decimal("100.00"),
    )
    assert crm.of("QuoteLine.write_in")["T-2-1"]["isproductoverridden"] is True
    assert {"T-4", "T-4-1"} <= set(crm.records("orphan_parent", "held")), "a quote without its deal, and its line"
    assert (crm.records("unknown_product"), crm.records("total_mismatch")) == (["T-2"], ["T-3"])
    assert crm.of("Document.file")["D-1"]["objectid"] == "quote T-1"


def test_orders_keep_lines_and_what_was_paid(crm: Landed) -> None:
    order = crm.of("Order.order")["S-1"]
    assert (order["quoteid"], order["opportunityid"], order["customerid"]) == (
        "quote T-1",
        "opportunity F-1",
        "contact K-1",
    )
    assert (order["flit_paidamount"], order["flit_paymentmethod"]) == (Decimal("950.00"), "Havale")
    assert crm.of("OrderLine.line")["S-1-1"]["productid"] == "product U-1"


def test_products_have_a_price_in_every_currency_that_is_used(crm: Landed) -> None:
    assert len(crm.of("Product.price")) == 4
    phases = crm.prepared.pack.playbook["phases"]
    assert phases.index("products") < phases.index("quotes") < phases.index("orders")


def test_activities_keep_disposition_duration_and_attendees(crm: Landed) -> None:
    call = crm.of("Activity.call")["A-1"]
    assert (call["flit_disposition"], call["flit_durationseconds"], call["regardingobjectid"]) == (
        "Ulaşıldı",
        61,
        "contact K-1",
    )
    assert crm.of("Activity.task")["A-4"]["regardingobjectid"] == "lead K-6"
    meeting = crm.of("Activity.meeting")["A-2"]
    assert meeting["regardingobjectid"] == "opportunity F-2"
    assert {one["mask"] for one in meeting["_parties"]} == {5, 7}
    assert crm.of("Activity.note")["A-5"]["objectid"] == "contact K-2"


def test_cards_of_a_board_are_tasks_or_notes_and_comments_notes(crm: Landed) -> None:
    task = crm.of("Card.card_task")["C-1"]
    assert (task["flit_board"], task["flit_boardcolumn"], task["regardingobjectid"]) == (
        "Operasyon",
        "Tamamlandı",
        "opportunity F-1",
    )
    assert crm.of("Card.card_note")["C-2"]["objectid"] == "opportunity F-1"
    assert {row["objectid"] for row in crm.of("CardComment.comment").values()} == {"task C-1", "opportunity F-1"}
    assert crm.of("Deal.opportunity")["F-1"]["flit_boardcolumn"] == "Yapılacak"


def test_deals_stand_in_the_process_of_their_pipeline(tmp_path: Path) -> None:
    processes = {
        "Sağlık turizmi": ["Görüşme", "Teklif Verildi", "Kazanıldı"], "Emlak": ["Yeni Talep", "Pazarlık", "Kapanış"],
    }  # fmt: skip
    told = land("planports", tmp_path, processes=processes, stage_process="follow", process_stages={"Satış": "Kapanış"})
    health = told.of("Deal.process_opportunitysalesprocess")
    estate = told.of("Deal.process_leadtoopportunitysalesprocess")
    assert {key: row["traversedpath"].split(",") for key, row in health.items()} == {
        "F-1": walked("Sağlık turizmi", "Görüşme; Teklif Verildi")
    }
    assert {key: (row["traversedpath"].split(","), row["_status"]) for key, row in estate.items()} == {
        "F-2": (walked("Emlak", "Yeni Talep; Pazarlık; Kapanış"), 2)
    }
    assert told.records("pipeline_without_process", "listed") == ["F-4"]
    none = land("planports", tmp_path / "none")
    assert not none.tables() & {"opportunitysalesprocess", "leadtoopportunitysalesprocess"}


# Decisions other than the example's, several at once where they do not touch each other.
OTHERS: dict[str, dict[str, object]] = {
    "one": {
        "card_rule": "task",
        "whatsapp_bodies": "message",
        "unknown_stage": "blank",
        "qualified_statuses": [],
        "line_discount": "unit",
    },
    "two": {
        "whatsapp_bodies": "none",
        "lost_stages": [],
        "won_stages": ["Teklif Verildi"],
        "fallback_account": "Kişiler",
    },
    "three": {"whatsapp_bodies": "chat", "price_list": "Liste", "done_columns": []},
    "active": {"split_rule": "active", "active_order": "unpaid", "won_stages": ["Satış", "Brief"]},
    "open": {"split_rule": "active", "active_order": "any", "won_stages": ["Satış", "Brief"]},
}
OUTCOMES: list[tuple[str, str, Callable[[Landed], object], object]] = [
    ("one", "card_rule", lambda told: sorted(told.of("Card.card_task")), ["C-1", "C-2"]),
    ("one", "whatsapp_bodies", lambda told: len(told.of("ChatMessage.chat")) > 3, True),
    ("one", "unknown_stage", lambda told: told.of("Deal.opportunity")["F-3"]["flit_pipelinestage"], None),
    ("one", "qualified_statuses", lambda told: {"K-2", "K-4"} & set(told.of("Contact.contact")), set()),
    ("one", "line_discount", lambda told: told.of("QuoteLine.line")["T-1-1"]["manualdiscountamount"], Decimal("50.00")),
    ("two", "whatsapp_bodies", lambda told: len(told.of("ChatMessage.chat")), 0),
    ("two", "lost_stages", lambda told: told.of("Deal.opportunity")["F-4"]["_action"], None),
    ("two", "won_stages", lambda told: told.of("Deal.opportunity")["F-1"]["_action"], "win"),
    ("two", "fallback_account", lambda told: [row["name"] for row in told.of("Contact.individuals").values()], ["Kişiler"]),
    ("three", "whatsapp_bodies", lambda told: len(told.of("ChatMessage.chat")), 2),
    ("three", "price_list", lambda told: {row["name"] for row in told.of("Quote.price_list").values()}, {"Liste EUR", "Liste TRY"}),
    ("three", "done_columns", lambda told: told.of("Card.card_task")["C-1"]["_action"], None),
    # K-1 has an open deal, K-2 and K-4 are qualified; deals and quotes of K-3 and K-7 are closed, K-5's only order is paid.
    ("active", "split_rule", lambda told: sorted(told.of("Contact.contact")), ["K-1", "K-2", "K-4"]),
    ("active", "split_rule", lambda told: sorted(told.of("Contact.card_lead")), ["K-3", "K-5", "K-6", "K-7"]),
    # A paid order counts here; and the quote of K-3 was not answered yet.
    ("open", "active_order", lambda told: sorted(told.of("Contact.card_lead")), ["K-6", "K-7"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Landed]:
    paid = {"orders.csv": ("TRY,250.00,0,", "TRY,250.00,250.00,")}
    written = {"active": paid | {"quotes.csv": ("Bekliyor,Taslak", "Bekliyor,Red")}, "open": paid}
    return {
        name: land("planports", tmp_path_factory.mktemp("other"), written=written.get(name), **decided)
        for name, decided in OTHERS.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(("which", "decision", "seen", "wanted"), OUTCOMES)
def test_another_decision_has_another_outcome(
    others: dict[str, Landed], which: str, decision: str, seen: Callable[[Landed], object], wanted: object
) -> None:
    assert decision in OTHERS[which]
    assert seen(others[which]) == wanted


def test_what_is_closed_belongs_to_the_account_of_a_card_that_became_a_lead(others: dict[str, Landed]) -> None:
    told = others["active"]
    won, lost = told.of("Deal.opportunity")["F-2"], told.of("Deal.opportunity")["F-4"]
    assert (won["customerid"], won["parentaccountid"], won["parentcontactid"]) == ("account K-3", "account K-3", None)
    assert (won["originatingleadid"], lost["originatingleadid"]) == ("lead K-3", "lead K-7")
    assert told.of("Deal.opportunity")["F-1"]["customerid"] == "contact K-1"
    assert told.of("Deal.opportunity")["F-1"]["originatingleadid"] is None
    quote, order = told.of("Quote.quote")["T-2"], told.of("Order.order")["S-2"]
    assert (quote["customerid"], quote["flit_originatingleadid"]) == ("account K-3", "lead K-3")
    assert (order["customerid"], order["flit_originatingleadid"]) == ("account K-5", "lead K-5")
    assert told.records("deal_on_lead", "listed") == ["F-2", "F-4", "S-2", "T-2"]
    assert told.records("orphan_parent", "held") == others["three"].records("orphan_parent", "held")


def test_only_the_split_by_active_business_notes_leads_on_deals(crm: Landed) -> None:
    assert "originatingleadid" not in crm.of("Deal.opportunity")["F-1"]
    assert crm.records("deal_on_lead") == []


CARD = "Kişi No;Ad;Soyad;Durum;Tedavi Paketi;Gösterim Zamanı;Reklam Harcaması;Pano\n"
INDUSTRY = {
    "contacts-more.csv": CARD
    + "K-20;Ela;Tan;Müşteri;Veneer;02.02.2025 15:00;1.250,50;Sol\nK-21;Can;Ay;Yeni;Implant;;;Sağ\n",
    "leads.csv": "Lead No,Last Name,Status,Referans Kaynağı,Tedavi Paketi\nL-9,Kut,Yeni,Fuar,veneer\n",
}


def test_industry_fields_of_contacts_and_leads_are_the_columns_of_opportunities(tmp_path: Path) -> None:
    told = land("planports", tmp_path, added=INDUSTRY)
    card, lead = told.of("Contact.contact")["K-20"], told.of("Lead.lead")["L-9"]
    assert (card["flit_treatmentpackage"], card["flit_adspend"]) == ("Veneer", Decimal("1250.50"))
    assert card["flit_viewingtime"].isoformat() == "2025-02-02T12:00:00+00:00"
    assert (lead["flit_treatmentpackage"], lead["flit_referralsource"]) == ("Veneer", "Fuar")
    assert told.of("Contact.card_lead")["K-21"]["flit_treatmentpackage"] == "Implant", (
        "a card takes them to where it lands"
    )
    options = {
        str(column.create["options"])
        for route in told.document.routes
        for column in route.columns
        if column.name == "flit_treatmentpackage" and column.create and route.table in {"contact", "lead"}
    }
    assert len(options) == 1, "one choice on both tables, the deals' options first"
    (options,) = options
    assert options.index("Implant") < options.index("Veneer")
    assert card["flit_pano"] == "Sol", "what no industry knows is proposed by its values"


def test_the_fields_of_another_industry_are_proposed_by_their_values(tmp_path: Path) -> None:
    told = land("planports", tmp_path, added=INDUSTRY, industries=["Real estate"])
    card = told.of("Contact.contact")["K-20"]
    assert card["flit_viewingtime"].isoformat() == "2025-02-02T12:00:00+00:00"
    assert "flit_treatmentpackage" not in card
    assert card["flit_tedavipaketi"] == "Veneer"
