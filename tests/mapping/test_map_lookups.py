"""Which row a record points to: keys, merged records, records that make no row."""

import json
from collections.abc import Callable
from hashlib import md5
from uuid import UUID

import pytest
from mapping.map_case import MapCase

from flitstack.errors import UsageError

COMPANY = """routes:
  - {table: account, name: firm, phase: accounts, key: Id, matches: {id: Id, name: 'label_key(Name)', host: 'host_key(Site)'},
     not_matching: {host: free}, columns: {name: {from: Name, too_long: hold}}}"""
PERSON = """routes:
  - table: contact
    name: person
    phase: contacts
    key: Id
    matches: {id: Id, email: 'email_key(Mail)'}
    columns:
      parentcustomerid:
        lookup: [{table: account, via: name, by: 'label_key(Firm)'}, {table: account, via: host, by: 'email_host(Mail)'}]
        missing: %s
        field: Firm
"""


def digest(name: str, key: str) -> str:
    return md5(f"test/{name}/{key}".encode(), usedforsecurity=False).hexdigest()


def firms(*rows: tuple[str, str, str | None]) -> list[dict[str, str | None]]:
    return [{"Id": number, "Name": name, "Site": site} for number, name, site in rows]


def people(*rows: tuple[str, str | None, str | None]) -> list[dict[str, str | None]]:
    return [{"Id": number, "Firm": firm, "Mail": mail} for number, firm, mail in rows]


def test_the_first_way_that_leads_to_one_row_wins(case: Callable[..., MapCase]) -> None:
    mapped = case(
        objects={
            "Company": firms(("a", "Acme", "acme.com"), ("b", "Twin", "b.com"), ("c", "Twin", "c.com")),
            "Person": people(
                ("1", "ACME ", None),
                ("2", "Twin", "x@c.com"),
                ("3", "Twin", None),
                ("4", "Nobody", None),
                ("5", None, None),
            ),
        },
        maps={"Company": COMPANY, "Person": PERSON % "blank"},
        decisions={"free": []},
    ).run()
    found = {record: row["parentcustomerid"] for record, row in mapped.rows["person"].items()}
    assert found == {"1": digest("Company", "a"), "2": digest("Company", "c"), "3": None, "4": None, "5": None}
    assert mapped.rows["person"]["1"]["parentcustomerid__table"] == "account"
    assert mapped.findings == [("ambiguous_match", "3", "loaded", "Firm"), ("unresolved_lookup", "4", "loaded", "Firm")]
    assert mapped.route("person").depends_on == ("account",)
    assert mapped.column("person", "parentcustomerid").targets == ("account",)


def test_hosts_that_a_decision_names_identify_nobody(case: Callable[..., MapCase]) -> None:
    mapped = case(
        objects={"Company": firms(("a", "Acme", "gmail.com")), "Person": people(("1", None, "x@gmail.com"))},
        maps={"Company": COMPANY, "Person": PERSON % "blank"},
        decisions={"free": ["Gmail.com"]},
    ).run()
    assert mapped.rows["person"]["1"]["parentcustomerid"] is None
    assert not mapped.findings


def test_whatever_a_merged_record_was_known_by_leads_to_its_survivor(case: Callable[..., MapCase]) -> None:
    mapped = case(
        objects={
            "Company": firms(("a", "Acme", "acme.com"), ("b", "Acme Group", "acme-group.com")),
            "Person": people(("1", "Acme Group", None), ("2", None, "x@acme-group.com"), ("3", "Acme", None)),
        },
        maps={"Company": COMPANY, "Person": PERSON % "hold"},
        merged={"Company": {"b": "a"}},
        decisions={"free": []},
    ).run()
    assert {row["parentcustomerid"] for row in mapped.rows["person"].values()} == {digest("Company", "a")}
    assert len(mapped.rows["firm"]) == 1


def test_a_held_parent_makes_its_children_orphans(case: Callable[..., MapCase]) -> None:
    mapped = case(
        objects={
            "Company": firms(("a", "x" * 200, "a.com"), ("b", "Fine", "b.com")),
            "Person": people(("1", None, "x@a.com"), ("2", "Fine", None), ("3", None, None)),
        },
        maps={"Company": COMPANY, "Person": PERSON % "hold"},
        decisions={"free": []},
    ).run()
    assert list(mapped.rows["person"]) == ["2"]
    assert mapped.findings == [
        ("orphan_parent", "1", "held", "Firm"),
        ("orphan_parent", "3", "held", "Firm"),
        ("overlong", "a", "held", "Name"),
    ]
    assert mapped.document.held == {"Company": 1, "Person": 2}


def test_optional_lookups_may_form_circles_and_deciding_ones_may_not(case: Callable[..., MapCase]) -> None:
    parent = """routes:
  - {table: account, name: firm, phase: accounts, key: Id, matches: {id: Id},
     columns: {parentaccountid: {lookup: [{table: account, via: id, by: Up}], missing: %s}}}"""
    rows = [{"Id": "a", "Up": "b"}, {"Id": "b", "Up": "a"}]
    mapped = case(objects={"Company": rows}, maps={"Company": parent % "blank"}).run()
    assert [row["parentaccountid"] for row in mapped.rows["firm"].values()] == [
        digest("Company", "b"),
        digest("Company", "a"),
    ]
    with pytest.raises(UsageError, match="wait for each other"):
        case(objects={"Company": rows}, maps={"Company": parent % "hold"}).run()


def test_rows_of_the_environment_are_found_by_their_id(case: Callable[..., MapCase]) -> None:
    euro = "00000000-0000-0000-0000-0000000000e0"
    deal = """routes:
  - {table: opportunity, name: deal, phase: rest, key: Id, columns: {transactioncurrencyid:
     {lookup: [{table: transactioncurrency, via: iso, by: 'upper(clean(C))'}], missing: hold, code: unknown_currency}}}"""
    mapped = case(
        objects={"Deal": [{"Id": "1", "C": "eur"}, {"Id": "2", "C": "XXX"}]},
        maps={"Deal": deal},
        context={"rows": {"transactioncurrency": {"iso": [("EUR", euro)]}}},
    ).run()
    row = mapped.rows["deal"]["1"]
    assert (row["transactioncurrencyid"], row["transactioncurrencyid__live"]) == (str(UUID(euro)), True)
    assert mapped.findings == [("unknown_currency", "2", "held", "C")]


def test_a_list_of_keys_takes_the_first_that_is_there(case: Callable[..., MapCase]) -> None:
    deal = """routes:
  - {table: opportunity, name: deal, phase: rest, key: Id, columns: {parentcontactid:
     {lookup: [{table: contact, via: email, each: "split_list(C, ';')", key: email_key}], missing: %s}}}"""
    for missing in ("blank", "hold"):
        mapped = case(
            objects={
                "Company": firms(("a", "Acme", None)),
                "Person": people(("1", None, "a@x.com"), ("2", None, "b@x.com")),
                "Deal": [{"Id": "9", "C": "gone@x.com; <B@x.com>; a@x.com"}],
            },
            maps={"Company": COMPANY, "Person": PERSON % "blank", "Deal": deal % missing},
            decisions={"free": []},
        ).run()
        assert mapped.rows["deal"]["9"]["parentcontactid"] == digest("Person", "2")


ACTIVITY = """routes:
  - table: email
    name: mail
    phase: rest
    when: "Kind = 'mail'"
    key: Id
    matches: {id: Id}
    columns: {subject: {from: Kind}}
    parties:
      - {mask: 1, owner: Owner}
      - {mask: 2, table: contact, via: email, each: "split_list(Mails, ';')", key: email_key}
  - table: t_twin
    name: twin
    phase: rest
    also: true
    key: Id
    create_table: {label: Twin}
    columns:
      t_name: {from: Id}
      t_mailid: {id_of: {table: email, via: id, by: Id}, missing: skip, create: {type: String, length: 40, label: Mail}}
unrouted: {code: unknown_choice, field: Kind}
"""

MAIL = {"Id": "m", "Kind": "mail", "Owner": None, "Mails": None}


def test_participants_keep_their_address_where_no_row_is_found(case: Callable[..., MapCase]) -> None:
    mapped = case(
        objects={
            "Company": firms(("a", "Acme", None)),
            "Person": people(("1", None, "a@x.com")),
            "Activity": [
                {"Id": "m", "Kind": "mail", "Owner": "Boss@x.com", "Mails": "A@x.com; new@y.com; a@x.com; bad"},
                {"Id": "z", "Kind": "fax", "Owner": None, "Mails": None},
            ],
        },
        maps={"Company": COMPANY, "Person": PERSON % "blank", "Activity": ACTIVITY},
        decisions={"free": []},
    ).run()
    assert mapped.rows["mail"]["m"]["_parties"] == [
        {"mask": 1, "table": "owner", "digest": None, "address": "boss@x.com"},
        {"mask": 2, "table": "contact", "digest": digest("Person", "1"), "address": "a@x.com"},
        {"mask": 2, "table": None, "digest": None, "address": "new@y.com"},
    ]
    assert mapped.findings == [("unknown_choice", "z", "held", "Kind")]


def test_rows_beside_a_record_are_made_only_where_it_made_one(case: Callable[..., MapCase]) -> None:
    mapped = case(
        objects={
            "Activity": [
                {"Id": "m", "Kind": "mail", "Owner": None, "Mails": None},
                {"Id": "z", "Kind": "fax", "Owner": None, "Mails": None},
            ]
        },
        maps={"Activity": ACTIVITY},
        live={"t_twin": None},
    ).run()
    assert list(mapped.rows["twin"]) == ["m"]
    assert mapped.rows["twin"]["m"]["t_mailid"] == digest("Activity", "m")
    assert not mapped.route("twin").is_primary
    assert mapped.document.held == {"Activity": 1}


def test_two_records_of_one_key_make_one_row(case: Callable[..., MapCase]) -> None:
    rows = [{"Id": "1", "Code": "k"}, {"Id": "2", "Code": "k"}]
    route = "routes: [{table: account, name: firm, phase: accounts, key: Code, columns: {name: {from: Code}}}]"
    mapped = case(objects={"Company": rows}, maps={"Company": route}).run()
    assert list(mapped.rows["firm"]) == ["1"]
    assert mapped.findings == [("missing_key", "2", "held", "")]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [("true", True), ("decision('where') = 'sharepoint'", True), ("decision('where') = 'note'", False)],
)
def test_a_trait_of_a_table_may_hang_on_a_decision(case: Callable[..., MapCase], said: str, wanted: bool) -> None:
    made = ACTIVITY.replace(
        "{label: Twin}", f"{{label: Twin, documents: {said if said == 'true' else json.dumps(said)}}}"
    )
    mapped = case(
        objects={"Company": firms(("a", "Acme", None)), "Person": people(("1", None, "a@x.com")), "Activity": [MAIL]},
        maps={"Company": COMPANY, "Person": PERSON % "blank", "Activity": made},
        decisions={"free": [], "where": "sharepoint"},
    ).run()
    (twin,) = [route for route in mapped.document.routes if route.name == "twin"]
    assert (twin.create_table or {})["documents"] is wanted


def test_a_trait_of_a_table_that_hangs_on_the_record_is_refused(case: Callable[..., MapCase]) -> None:
    made = ACTIVITY.replace("{label: Twin}", "{label: Twin, documents: \"Kind = 'mail'\"}")
    with pytest.raises(UsageError, match="the same for every record"):
        case(
            objects={
                "Company": firms(("a", "Acme", None)),
                "Person": people(("1", None, "a@x.com")),
                "Activity": [MAIL],
            },
            maps={"Company": COMPANY, "Person": PERSON % "blank", "Activity": made},
            decisions={"free": []},
        ).run()
