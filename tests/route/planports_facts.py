"""What the known truth of the Planports example says besides counts and findings, asked of the destination."""

from collections import Counter, defaultdict
from typing import Any

from route.route_case import LABEL, Migration, record_of

Expected = dict[str, Any]


def fact(expected: Expected, text: str) -> Any:
    """The value of the fact whose text begins so."""
    return next(each["value"] for each in expected["facts"] if each["fact"].startswith(text))


def people(migration: Migration, expected: Expected) -> None:
    """Cards are split as told; every contact has an account; accounts that were there are used again."""
    contacts = migration.rows(
        "contacts?$select=flit_sourceid,_parentcustomerid_value,flit_whatsappcount,flit_whatsapplast"
    )
    leads = migration.rows(
        "leads?$select=flit_sourceid,flit_sourcekey,flit_leadsourcedetail,flit_externalid,flit_adid,flit_whatsappcount"
    )
    cards = [lead for lead in leads if "/Contact/" in str(lead["flit_sourceid"])]
    assert [len(contacts), len(cards)] == fact(expected, "cards routed to contact")
    assert all(contact["_parentcustomerid_value"] for contact in contacts)
    names = {row["accountid"]: row for row in migration.rows("accounts?$select=name,flit_sourceid")}
    used = {names[contact["_parentcustomerid_value"]]["name"] for contact in contacts}
    reused = {
        name.casefold() for name in used if not next(a for a in names.values() if a["name"] == name)["flit_sourceid"]
    }
    told = [name.casefold() for name in fact(expected, "destination accounts reused")]
    assert len(reused) == len(told)
    assert all(any(name.startswith(one) for name in reused) for one in told)
    sources = Counter(str(lead["flit_leadsourcedetail"]).split()[0].lower() for lead in leads if lead not in cards)
    assert dict(sources) == fact(expected, "leads by source")
    alone = sorted(record_of(lead) for lead in leads if "/AdLead/" in str(lead["flit_sourceid"]))
    assert alone == fact(expected, "leads that only the ad files hold")
    told_metadata = [row for row in (*contacts, *leads) if row["flit_whatsappcount"] is not None]
    assert len(told_metadata) == fact(expected, "cards with WhatsApp metadata")[0]


def sales(migration: Migration, expected: Expected) -> None:
    """Stages within their pipeline; sums of deals, lines and orders, as the platform has worked them out."""
    query = "opportunities?$select=flit_pipelinestage,estimatedvalue,_transactioncurrencyid_value"
    stages: Counter[str] = Counter()
    currencies = {
        row["transactioncurrencyid"]: row["isocurrencycode"]
        for row in migration.rows("transactioncurrencies?$select=isocurrencycode")
    }
    sums: dict[str, float] = defaultdict(float)
    for row in migration.rows(query):
        stages[row[f"flit_pipelinestage{LABEL}"]] += 1
        sums[currencies[row["_transactioncurrencyid_value"]]] += row["estimatedvalue"] or 0
    assert dict(stages) == fact(expected, "loaded opportunities by pipeline and stage")
    assert {code: round(total, 2) for code, total in sums.items()} == fact(expected, "sum of amounts by currency")
    approvals = Counter(
        row[f"flit_approvalstatus{LABEL}"] for row in migration.rows("quotes?$select=flit_approvalstatus")
    )
    assert dict(approvals) == fact(expected, "loaded quotes by approval state")
    lines = migration.rows("quotedetails?$select=extendedamount,flit_sourceamount,pricingerrorcode")
    assert round(sum(line["extendedamount"] for line in lines), 2) == fact(
        expected, "sum of quote line amounts (loaded)"
    )
    assert all(line["extendedamount"] == line["flit_sourceamount"] for line in lines)
    orders: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in migration.rows("salesorders?$select=totalamount,flit_paidamount,_transactioncurrencyid_value"):
        mine = orders[currencies[row["_transactioncurrencyid_value"]]]
        mine[0] += row["totalamount"]
        mine[1] += row["flit_paidamount"] or 0
    rounded = {code: [round(each, 2) for each in both] for code, both in orders.items()}
    assert rounded == fact(expected, "sum of order totals")


def activities(migration: Migration, expected: Expected) -> None:
    """Attendees: rows where one is known; a user who is not in the environment stays an address."""
    query = (
        "activityparties?$select=_partyid_value,addressused,participationtypemask&$filter=participationtypemask eq 5"
    )
    parties = migration.rows(query)
    ids = {row["contactid"] for row in migration.rows("contacts?$select=contactid")}
    ids |= {row["leadid"] for row in migration.rows("leads?$select=leadid")}
    known, users, guests = fact(expected, "meeting attendee party rows")
    assert sum(row["_partyid_value"] in ids for row in parties) == known
    assert len(parties) == known + users + guests
    tasks = migration.rows("tasks?$select=flit_cardid&$filter=flit_cardid ne null")
    assert len(tasks) == fact(expected, "cards as tasks")[0]


def samples(migration: Migration, expected: Expected) -> None:
    """Cell by cell, for the rows that the known truth shows."""
    accounts = {row["accountid"]: row["name"] for row in migration.rows("accounts?$select=name")}
    rows = {
        table: {record_of(row): row for row in migration.rows(query)}
        for table, query in (("contact", "contacts"), ("lead", "leads"), ("opportunity", "opportunities"))
    }
    for sample in expected["samples"]:
        row = rows[sample["table"]][sample["source_key"]]
        for name, value in sample["fields"].items():
            shown = _shown(sample["table"], name, row, accounts)
            same = str(shown).startswith(value) if name == "company" and value else shown == value
            assert same, (sample["source_key"], name, shown, value)


def _shown(table: str, name: str, row: dict[str, Any], accounts: dict[str, str]) -> Any:
    if name == "company":
        return accounts[row["_parentcustomerid_value"]] if table == "contact" else row["companyname"]
    if name == "currency":
        return row[f"_transactioncurrencyid_value{LABEL}"]
    if name in {"treatment", "column"}:
        return row.get(f"{_COLUMNS[name]}{LABEL}")
    return row[_COLUMNS.get(name, name)]


_COLUMNS = {
    "whatsapp_last": "flit_whatsapplast",
    "campaign": "flit_adcampaign",
    "form": "flit_adformid",
    "external_id": "flit_externalid",
    "score": "flit_leadscore",
    "original_created": "flit_sourcecreatedon",
    "amount": "estimatedvalue",
    "pipeline": "flit_pipeline",
    "stage": "flit_stage",
    "closedate": "estimatedclosedate",
    "treatment": "flit_treatmentpackage",
    "property": "flit_propertyid",
    "ad_spend": "flit_adspend",
    "column": "flit_boardcolumn",
}
PLANPORTS = (people, sales, activities, samples)
