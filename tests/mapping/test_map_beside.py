"""Rows made beside records: one an element, one a key, none where there is one already."""

from collections.abc import Callable

from mapping.map_case import MapCase

COMPANY = """routes:
  - {table: account, name: firm, phase: accounts, key: Id, matches: {name: 'label_key(Name)'}, columns: {name: {from: Name}}}"""
PERSON = """routes:
  - {table: contact, name: person, phase: contacts, key: Id, matches: {email: 'email_key(Mail)'}, columns: {
      lastname: {from: Id},
      parentcustomerid: {lookup: [
        {table: account, via: name, by: 'label_key(Firm)'}, {table: account, via: stub, by: 'label_key(Firm)'},
        {table: account, via: fallback, by: "'fallback'"}], missing: hold}}}
  - {table: account, name: stub, phase: accounts, also: true, distinct: true, key: 'label_key(Firm)',
     matches: {stub: 'label_key(Firm)'}, unless: {table: account, via: name, by: 'label_key(Firm)'},
     columns: {name: {from: Firm}}, checks: [{code: placeholder_created, when: 'TRUE', field: Firm, outcome: listed}]}
  - {table: account, name: fallback, phase: accounts, also: true, distinct: true, key: "'fallback'",
     matches: {fallback: "'fallback'"}, columns: {name: {from: "'Unknown company'"}}}"""
DEAL = """routes:
  - {table: opportunity, name: deal, phase: rest, key: Id, matches: {id: Id}, columns: {name: {from: Id}}}
  - table: connection
    name: stakeholder
    phase: rest
    also: true
    distinct: true
    each: "split_list(Mails, ';')"
    when: "_place > 1"
    key: "Id || '/' || email_key(_item)"
    columns:
      record1id: {lookup: [{table: opportunity, via: id, by: Id}], missing: skip}
      record2id: {lookup: [{table: contact, via: email, by: 'email_key(_item)'}], missing: skip}
"""


def test_records_without_a_parent_get_a_placeholder_or_the_fallback(case: Callable[..., MapCase]) -> None:
    people = [
        {"Id": "1", "Firm": "Acme", "Mail": "a@x.com"},
        {"Id": "2", "Firm": "New Ltd", "Mail": "b@x.com"},
        {"Id": "3", "Firm": "NEW ltd", "Mail": None},
        {"Id": "4", "Firm": None, "Mail": None},
    ]
    mapped = case(
        objects={"Company": [{"Id": "c", "Name": "Acme"}], "Person": people},
        maps={"Company": COMPANY, "Person": PERSON},
    ).run()
    assert [row["name"] for row in mapped.rows["stub"].values()] == ["New Ltd"]
    assert [row["_key"] for row in mapped.rows["fallback"].values()] == ["fallback#fallback"]
    parent = {record: row["parentcustomerid"] for record, row in mapped.rows["person"].items()}
    stub, fallback = mapped.rows["stub"]["2"]["_digest"], mapped.rows["fallback"]["1"]["_digest"]
    assert parent == {"1": mapped.rows["firm"]["c"]["_digest"], "2": stub, "3": stub, "4": fallback}
    assert mapped.findings == [("placeholder_created", "2", "listed", "Firm")]
    assert not mapped.document.held
    assert [route.name for route in mapped.document.routes if route.is_primary] == ["firm", "person"]


def test_every_element_of_a_list_can_make_a_row(case: Callable[..., MapCase]) -> None:
    people = [{"Id": mail[0], "Firm": "Acme", "Mail": mail} for mail in ("a@x.com", "b@x.com", "c@x.com")]
    mapped = case(
        objects={
            "Company": [{"Id": "k", "Name": "Acme"}],
            "Person": people,
            "Deal": [{"Id": "9", "Mails": "a@x.com; b@x.com;B@x.com; gone@x.com; c@x.com"}, {"Id": "8", "Mails": None}],
        },
        maps={"Company": COMPANY, "Person": PERSON, "Deal": DEAL},
    ).run()
    route = mapped.route("stakeholder")
    assert (route.rows, route.is_primary) == (2, False)
    keys = sorted(row["_key"] for row in mapped.sorted_rows("stakeholder"))
    assert keys == ["9/b@x.com", "9/c@x.com"]
    assert not mapped.document.held


def test_elements_may_be_json(case: Callable[..., MapCase]) -> None:
    order = """routes:
  - {table: salesorder, name: order, phase: rest, key: Id, matches: {id: Id}, columns: {name: {from: Id}}}
  - {table: salesorderdetail, name: line, phase: rest, also: true, each: 'json_items(Items)', key: "Id || '/' || _place",
     columns: {productdescription: {from: "json_text(_item, '$.what')"}, quantity: {from: "json_text(_item, '$.n')"},
       salesorderid: {lookup: [{table: salesorder, via: id, by: Id}], missing: hold}}}"""
    mapped = case(
        objects={
            "Order": [
                {"Id": "1", "Items": '[{"what": "Pen", "n": 2}, {"what": "Ink", "n": "x"}]'},
                {"Id": "2", "Items": "{"},
            ]
        },
        maps={"Order": order},
    ).run()
    lines = mapped.sorted_rows("line")
    assert [(row["_key"], row["productdescription"], row["quantity"] and int(row["quantity"])) for row in lines] == [
        ("1/1", "Pen", 2), ("1/2", "Ink", None),
    ]  # fmt: skip
    assert mapped.findings == [("bad_number", "1", "loaded", "_item")]


STUB = """routes:
  - {table: account, name: stub, phase: accounts, also: true, distinct: true, key: company_key(Firm),
     matches: {stub: company_key(Firm)}, columns: {name: {from: Firm}}}
  - {table: contact, name: person, phase: contacts, key: Id, columns: {lastname: {from: Name},
     parentcustomerid: {lookup: [{table: account, via: stub, by: company_key(Firm)}], missing: blank}}}"""


def test_rows_of_distinct_keys_are_not_known_by_what_a_merged_record_said(case: Callable[..., MapCase]) -> None:
    deal = """routes:
  - {table: opportunity, name: deal, phase: rest, key: Id, columns: {name: {from: Name},
     parentaccountid: {lookup: [{table: account, via: stub, by: company_key(Firm)}], missing: blank}}}"""
    mapped = case(
        objects={
            "Person": [
                {"Id": "1", "Name": "Ana", "Firm": "Acme"},
                {"Id": "2", "Name": "Ana", "Firm": "Beta"},  # merged into 1
                {"Id": "3", "Name": "Ana", "Firm": "Gamma"},  # merged into 1
                {"Id": "4", "Name": "Ben", "Firm": "Beta"},
            ],
            "Deal": [{"Id": "d", "Name": "of nobody any more", "Firm": "Gamma"}],
        },
        maps={"Person": STUB, "Deal": deal},
        merged={"Person": {"2": "1", "3": "1"}},
    ).run()
    names = {row["_digest"]: row["name"] for row in mapped.all_rows["stub"]}
    firms = {name: names.get(row["parentcustomerid"]) for name, row in mapped.rows["person"].items()}
    assert firms == {"1": "Acme", "4": "Beta"}
    assert mapped.rows["deal"]["d"]["parentaccountid"] is None
    assert mapped.findings == [("unresolved_lookup", "d", "loaded", "Firm")]


def test_rows_of_elements_are_known_by_those_of_the_merged_record(case: Callable[..., MapCase]) -> None:
    team = """routes:
  - {table: account, name: team, phase: accounts, key: Id, columns: {name: {from: Name}}}
  - {table: contact, name: member, phase: contacts, also: true, each: "split_list(Members, ';')",
     matches: {member: label_key(_item)}, columns: {lastname: {from: _item}}}"""
    deal = """routes:
  - {table: opportunity, name: deal, phase: rest, key: Id, columns: {name: {from: Name},
     parentcontactid: {lookup: [{table: contact, via: member, by: label_key(Who)}], missing: blank}}}"""
    mapped = case(
        objects={
            "Team": [
                {"Id": "1", "Name": "Red", "Members": "Ana; Ben"},
                {"Id": "2", "Name": "Red", "Members": "Cleo; Ana"},  # merged into 1
            ],
            "Deal": [{"Id": "d", "Name": "Deal", "Who": "ben"}],
        },
        maps={"Team": team, "Deal": deal},
        merged={"Team": {"2": "1"}},
    ).run()
    members = {row["_digest"]: row["lastname"] for row in mapped.all_rows["member"]}
    assert members[mapped.rows["deal"]["d"]["parentcontactid"]] == "Ben"
