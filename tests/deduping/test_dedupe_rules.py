"""What makes records one, who survives, which values stay; rows say what should happen to them."""

from collections.abc import Callable

import pytest
from deduping.dedupe_case import Case

from flitstack.errors import UsageError

MakeCase = Callable[..., Case]

PEOPLE = """
Contact:
  required: {key: email_key(Email), field: Email, missing: missing_key, unreadable: invalid_email}
  identity: [{rule: email, key: email_key(Email)}]
  survivor: [{most: 'name_rank("First", "Last")'}, most_filled]
  columns:
    - {fields: [First, Last], take: best, by: 'name_rank("First", "Last")'}
    - {fields: [Created], take: earliest}
    - {fields: [Score], take: largest}
    - {fields: [Tags], take: union, separator: ";"}
"""

COMPANIES = """
Company:
  identity:
    - {rule: host, key: 'coalesce(private_host(host_key(Domain)), private_host(host_key(Website)))'}
    - {rule: canonical name, key: 'settled_name("Name")'}
    - {rule: full name, key: 'company_words(canonical("Name"))', only_unkeyed: true}
    - {rule: name, key: 'company_key(canonical("Name"))', only_unkeyed: true}
  alike: [{key: 'company_key(canonical("Name"))', what: 'same name, different domain'}]
"""


def person(id: str, email: str, **more: str) -> dict[str, str]:
    return {"Id": id, "First": "Ana", "Last": "Ruiz", "Email": email, "Created": "", "Score": "", "Tags": "", **more}


def company(id: str, name: str, domain: str = "", website: str = "") -> dict[str, str]:
    return {"Id": id, "Name": name, "Domain": domain, "Website": website}


def test_one_address_in_three_spellings_is_one_person(case: MakeCase) -> None:
    rows = [person("a", "Ana@X.example"), person("b", "mailto:ana@x.example"), person("c", " ana@x.example\u00a0")]
    outcome = case(objects={"Contact": rows}, rules=PEOPLE).run()
    assert outcome.merged() == {"b": "a", "c": "a"}
    assert outcome.codes("duplicate_merged")[0] == ("b", "merged into a (same email)")


def test_plus_tags_and_dots_tell_people_apart(case: MakeCase) -> None:
    rows = [person("a", "ana@x.example"), person("b", "ana+news@x.example"), person("c", "a.na@x.example")]
    assert case(objects={"Contact": rows}, rules=PEOPLE).run().ids("Contact") == ["a", "b", "c"]


def test_records_without_a_readable_key_are_held_and_never_lost(case: MakeCase) -> None:
    rows = [person("none", ""), person("broken", "ana@nowhere"), person("good", "ana@x.example")]
    outcome = case(objects={"Contact": rows}, rules=PEOPLE).run()
    assert outcome.ids("Contact") == ["good"]
    assert [(f[0], f[2], f[3]) for f in outcome.findings] == [
        ("invalid_email", "broken", "held"),
        ("missing_key", "none", "held"),
    ]
    table = outcome.document.tables["Contact"]
    assert table.records + table.merged + table.held + table.excluded == len(rows)


def test_the_best_name_survives_then_the_most_filled_then_the_earliest(case: MakeCase) -> None:
    rows = [
        person("shouted", "one@x.example", First="ANA", Last="RUIZ", Score="9"),
        person("proper", "one@x.example"),
        person("empty", "two@x.example"),
        person("filled", "two@x.example", Score="5"),
        person("first", "three@x.example"),
        person("second", "three@x.example"),
    ]
    outcome = case(objects={"Contact": rows}, rules=PEOPLE).run()
    assert outcome.merged() == {"shouted": "proper", "empty": "filled", "second": "first"}


def test_every_merged_cell_that_another_record_gave_is_traceable(case: MakeCase) -> None:
    rows = [
        person(
            "a", "ana@x.example", Created="2024-05-02", Score="10", Tags="VIP; Key Account", Title="CEO", City="Kyiv"
        ),
        person("b", "ana@x.example", Created="01.02.2024", Score="9", Tags="key-account; Press", Phone="+49 30 1"),
    ]
    outcome = case(objects={"Contact": rows}, rules=PEOPLE, decisions={"date_order": "DMY"}).run()
    (row,) = outcome.rows["Contact"]
    assert row["_id"] == "a"
    # Tags are the same tag whatever case and marks they are written with; the first spelling stays.
    assert (row["Created"], row["Score"], row["Tags"]) == ("01.02.2024", "10", "VIP; Key Account; Press")
    assert row["Phone"] == "+49 30 1"
    assert {(s["field"], s["from_id"]) for s in outcome.sources} == {("Created", "b"), ("Tags", "b"), ("Phone", "b")}


def test_names_of_one_person_never_mix_two_records(case: MakeCase) -> None:
    rows = [
        person("a", "ana@x.example", First="A.", Last="Ruiz-Smith", Score="1", Tags="x"),
        person("b", "ana@x.example", First="Ana", Last="Ruiz"),
    ]
    (row,) = case(objects={"Contact": rows}, rules=PEOPLE).run().rows["Contact"]
    assert (row["First"], row["Last"]) == ("Ana", "Ruiz")


def test_one_host_is_one_company_whatever_its_spelling(case: MakeCase) -> None:
    rows = [
        company("a", "Acme GmbH", "acme.example"),
        company("b", "ACME", "https://https://www.acme.example:443/en?x=1"),
        company("c", "Acme International", "", "http://Acme.Example/"),
        company("d", "Acme", "", "shop.acme.example"),
    ]
    outcome = case(objects={"Company": rows}, rules=COMPANIES).run()
    assert outcome.merged() == {"b": "a", "c": "a"}


def test_free_mail_hosts_never_join_companies(case: MakeCase) -> None:
    rows = [
        company("a", "Bakery", "gmail.com"),
        company("b", "Florist", "gmail.com"),
        company("c", "Baker", "isp.example"),
    ]
    more = [company("d", "Tailor", "isp.example")]
    outcome = case(
        objects={"Company": rows + more}, rules=COMPANIES, decisions={"free_mail_domains": ["isp.example"]}
    ).run()
    assert outcome.merged() == {}


def test_a_company_without_host_joins_the_one_group_of_its_name(case: MakeCase) -> None:
    rows = [company("a", "Acme GmbH", "acme.example"), company("b", "acme"), company("c", "Acme, Inc.", "gmail.com")]
    assert case(objects={"Company": rows}, rules=COMPANIES).run().merged() == {"b": "a", "c": "a"}


def test_hostless_companies_of_one_name_form_one_group(case: MakeCase) -> None:
    rows = [company("a", "Acme GmbH"), company("b", "ACME"), company("c", "Other"), company("d", "")]
    assert case(objects={"Company": rows}, rules=COMPANIES).run().merged() == {"b": "a"}


def test_a_name_with_two_hosts_is_flagged_and_its_hostless_records_stand_apart(case: MakeCase) -> None:
    rows = [
        company("a", "Acme Inc", "a.example"),
        company("b", "Acme Ltd", "b.example"),
        company("c", "Acme"),
        company("d", "Acme"),
    ]
    outcome = case(objects={"Company": rows}, rules=COMPANIES).run()
    assert outcome.merged() == {"d": "c"}
    assert [record for record, _ in outcome.codes("possible_duplicate")] == ["b", "c"]
    assert outcome.document.tables["Company"].flagged == 2


def test_the_legal_form_settles_which_of_two_hosts_a_hostless_company_joins(case: MakeCase) -> None:
    rows = [company("a", "Acme Inc.", "a.example"), company("b", "Acme GmbH", "b.example"), company("c", "ACME, GmbH")]
    more = [company("d", "Acme gmbh"), company("e", "Acme")]
    outcome = case(objects={"Company": rows + more}, rules=COMPANIES).run()
    assert outcome.merged() == {"c": "b", "d": "b"}
    assert [record for record, _ in outcome.codes("possible_duplicate")] == ["b", "e"]


@pytest.mark.parametrize("names", [{"Acme Deutschland": "Acme Corp"}, {"Acme Corp": ["acme  deutschland", "Acme UK"]}])
def test_a_canonical_name_from_scoping_joins_variants_even_over_hosts(case: MakeCase, names: object) -> None:
    rows = [
        company("a", "Acme Corp", "acme.example"),
        company("b", "Acme Deutschland"),
        company("c", "ACME Corp", "x.example"),
    ]
    outcome = case(objects={"Company": rows}, rules=COMPANIES, decisions={"canonical_names": names}).run()
    assert outcome.merged() == {"b": "a", "c": "a"}
    assert outcome.codes("possible_duplicate") == []


def test_a_canonical_name_is_met_whatever_its_capitals_are(case: MakeCase) -> None:
    rows = [company("a", "İZMİR Ltd", "a.example"), company("b", "IŞIK"), company("c", "ΖΕΥΣ", "c.example")]
    names = {"İzmir Ltd": "Izmir Group", "IŞIK": "Izmir Group", "ΖΕΥΣ": "Izmir Group"}
    outcome = case(objects={"Company": rows}, rules=COMPANIES, decisions={"canonical_names": names}).run()
    assert outcome.merged() == {"b": "a", "c": "a"}


def test_chains_over_several_rules_end_in_one_cluster(case: MakeCase) -> None:
    rules = "Person: {identity: [{rule: mail, key: email_key(Mail)}, {rule: phone, key: phone_key(Phone)}]}"
    count = 40
    # Record i shares its phone with the one before and its address with the one after: one chain through all.
    rows = [
        {"Id": f"p{i:02}", "Mail": f"m{i // 2}@x.example", "Phone": f"+{(i + 1) // 2}00"}
        for i in reversed(range(count))
    ]
    outcome = case(objects={"Person": rows}, rules=rules).run()
    assert len(outcome.ids("Person")) == 1
    assert len(outcome.merged()) == count - 1


def test_the_same_source_id_twice_is_one_record_even_without_a_rule(case: MakeCase) -> None:
    rows = [
        {"Id": "1", "Name": "Bolt", "Price": ""},
        {"Id": "1", "Name": "Bolt M4", "Price": "2"},
        {"Id": "", "Name": "x"},
    ]
    outcome = case(objects={"Product": rows}).run()
    assert [(row["_id"], row["Name"], row["Price"]) for row in outcome.rows["Product"]] == [
        ("1", "Bolt", "2"),
        ("3", "x", None),
    ]


def test_the_record_updated_last_can_win_as_a_whole(case: MakeCase) -> None:
    rules = """
    Patient:
      identity: [{rule: patient id, key: clean(Id)}]
      survivor: [{most: "to_datetime(Updated, 'YMD', 'UTC')"}]
      otherwise: survivor
    """
    rows = [
        {"Id": "7", "Phone": "1", "Allergy": "Latex", "Updated": "2024-01-01"},
        {"Id": "7", "Phone": "2", "Allergy": "", "Updated": "2025-01-01"},
    ]
    (row,) = case(objects={"Patient": rows}, rules=rules).run().rows["Patient"]
    assert (row["Phone"], row["Allergy"]) == ("2", None)


def test_rules_that_name_no_field_or_read_elsewhere_are_told_all_at_once(case: MakeCase) -> None:
    rules = """
    Contact: {identity: [{rule: a, key: email_key(Mail)}, {rule: b, key: "(SELECT 1)"}], survivor: [{best: Email}]}
    Ghost: {identity: []}
    """
    with pytest.raises(UsageError) as raised:
        case(objects={"Contact": [person("a", "a@x.example")]}, rules=rules).run()
    assert [problem.code for problem in raised.value.problems] == ["dedupe-rule", "dedupe-rule"]
    assert "survivor: best" in str(raised.value)
    assert "no such object" in str(raised.value)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("email_key(Mail)", "no field 'Mail'"),
        ("(SELECT max(Email) FROM Contact)", "only a scalar expression"),
        ("email_key(Email", "not an SQL expression"),
    ],
)
def test_a_wrong_expression_is_named(case: MakeCase, key: str, said: str) -> None:
    rules = f"Contact: {{identity: [{{rule: a, key: '{key}'}}]}}"
    with pytest.raises(UsageError, match=said):
        case(objects={"Contact": [person("a", "a@x.example")]}, rules=rules).run()


def test_fields_named_like_inner_columns_do_no_harm(case: MakeCase) -> None:
    rules = "Thing: {identity: [{rule: name, key: label_key(Label)}], alike: [{key: label_key(Home), what: same home}]}"
    names = ("n", "Place", "Cluster", "Label", "Rank", "Home", "Survivor", "Rule", "Anchor", "K1", "Number", "First")
    rows = [{"Id": str(i), **dict.fromkeys(names, "same" if i < 3 else f"v{i}"), "Home": "h"} for i in range(1, 5)]
    outcome = case(objects={"Thing": rows}, rules=rules).run()
    assert outcome.ids("Thing") == ["1", "3", "4"]
    assert [record for record, _ in outcome.codes("possible_duplicate")] == ["3", "4"]
