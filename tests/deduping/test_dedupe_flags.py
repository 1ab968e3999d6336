"""Flags, exclusion by decision, rows that exist already, and what a person signed."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deduping.dedupe_case import Case

from flitstack.deduping.review import MergeDecisions, Pair, add_decisions, read_decisions, read_review
from flitstack.errors import UsageError

MakeCase = Callable[..., Case]

RULES = """
Contact:
  identity: [{rule: email, key: email_key(Email)}]
  flags:
    - {code: automated_sender, when: "email_key(Email) LIKE 'noreply@%'", excluded_by: automated_senders, field: Email}
    - code: internal_address
      among:
        - {value: email_key(Email), object: Member, theirs: email_key(Email)}
        - {value: private_host(email_host(Email)), object: Member, theirs: private_host(email_host(Email)), at_least: 2}
    - {code: test_record, when: "Name = 'TEST'", outcome: excluded}
  alike: [{key: label_key(Name), what: same name}]
Member: {}
"""
MEMBERS = [
    {"Id": "U1", "Email": "ana@team.example"},
    {"Id": "U2", "Email": "ben@team.example"},
    {"Id": "U3", "Email": "cleo@customer.example"},
]


def contact(id: str, name: str, email: str) -> dict[str, str]:
    return {"Id": id, "Name": name, "Email": email}


def test_addresses_of_machines_load_and_are_listed_unless_excluded(case: MakeCase) -> None:
    rows = [contact("a", "Ana", "ana@x.example"), contact("b", "", "noreply@x.example")]
    listed = case(objects={"Contact": rows, "Member": MEMBERS}, rules=RULES).run()
    assert listed.ids("Contact") == ["a", "b"]
    assert [f[:4] for f in listed.findings] == [("automated_sender", "Contact", "b", "listed")]
    excluded = case(
        objects={"Contact": rows, "Member": MEMBERS}, rules=RULES, decisions={"automated_senders": "exclude"}
    ).run()
    assert excluded.ids("Contact") == ["a"]
    assert [f[:4] for f in excluded.findings] == [("automated_sender", "Contact", "b", "excluded")]
    assert excluded.document.fingerprint != listed.document.fingerprint


def test_the_teams_own_addresses_are_internal_but_not_a_customer_who_hosts_one_member(case: MakeCase) -> None:
    rows = [
        contact("member", "Ana", "ANA@team.example"),
        contact("colleague", "Old", "left@team.example"),
        contact("customer", "Zoe", "zoe@customer.example"),
    ]
    outcome = case(objects={"Contact": rows, "Member": MEMBERS}, rules=RULES).run()
    assert [record for record, _ in outcome.codes("internal_address")] == ["member", "colleague"]


def test_a_team_whose_list_has_no_addresses_makes_nobody_internal(case: MakeCase) -> None:
    rows = [contact("a", "Ana", "ana@x.example"), contact("b", "Ben", "ben@x.example")]
    made = case(
        objects={"Contact": rows, "Member": [{"Id": "U1"}, {"Id": "U2"}]}, rules=RULES, absent={"Member": ["Email"]}
    )
    assert made.run().codes("internal_address") == []


def test_a_record_excluded_by_rule_never_becomes_a_survivor(case: MakeCase) -> None:
    rows = [contact("t", "TEST", "ana@x.example"), contact("a", "Ana", "ana@x.example")]
    outcome = case(objects={"Contact": rows, "Member": MEMBERS}, rules=RULES).run()
    assert outcome.ids("Contact") == ["a"]
    assert outcome.merged() == {}


def test_a_pair_kept_apart_stays_two_records_and_is_not_flagged_again(case: MakeCase) -> None:
    rows = [
        contact("a", "Ana", "info@x.example"),
        contact("b", "Ben", "info@x.example"),
        contact("c", "C", "info@x.example"),
    ]
    signed = MergeDecisions(keep_apart=frozenset({Pair("Contact", "b", "a")}))
    outcome = case(objects={"Contact": rows, "Member": MEMBERS}, rules=RULES).run(signed)
    assert outcome.ids("Contact") == ["a", "b"]
    assert outcome.merged() == {"c": "a"}


def test_a_merge_is_undone_by_keeping_its_pair_apart(case: MakeCase) -> None:
    rows = [contact("a", "Ana", "info@x.example"), contact("b", "Ben", "info@x.example")]
    made = case(objects={"Contact": rows, "Member": MEMBERS}, rules=RULES)
    merged = made.run()
    apart = MergeDecisions(
        keep_apart=frozenset(Pair("Contact", s["loser_id"], s["survivor_id"]) for s in merged.survivors)
    )
    undone = made.run(apart)
    assert [row["Name"] for row in undone.rows["Contact"]] == ["Ana", "Ben"]
    assert undone.survivors == []


LINKED = """
Contact:
  identity: [{rule: email, key: email_key(Email)}, {rule: phone, key: clean(Phone)}]
  alike: [{key: label_key(Name), what: same name}]
"""


def apart(*pairs: str) -> MergeDecisions:
    return MergeDecisions(keep_apart=frozenset(Pair("Contact", *pair) for pair in pairs))


CHAIN = [
    contact("a", "Ana", "a@x.example") | {"Phone": "1"},
    contact("c", "C", "c@x.example") | {"Phone": "1"},
    contact("d", "Ana", "c@x.example"),
]


def test_who_was_linked_only_through_a_record_kept_apart_goes_with_it(case: MakeCase) -> None:
    outcome = case(objects={"Contact": CHAIN}, rules=LINKED).run(apart("ac"))
    assert outcome.ids("Contact") == ["a", "c"]
    assert outcome.merged() == {"d": "c"}
    assert [record["rule"] for record in outcome.survivors] == ["email"]


def test_what_is_one_with_a_record_kept_apart_is_not_flagged_either(case: MakeCase) -> None:
    outcome = case(objects={"Contact": CHAIN[::-1]}, rules=LINKED).run(apart("ac"))
    assert outcome.merged() == {"c": "d"}
    assert outcome.codes("possible_duplicate") == []


def test_a_record_kept_apart_from_one_that_stands_apart_itself_stays_with_the_others(case: MakeCase) -> None:
    rows = [contact(name, name, "info@x.example") for name in "abcd"]
    outcome = case(objects={"Contact": rows}, rules=LINKED, absent={"Contact": ["Phone"]}).run(apart("ab", "bc"))
    assert outcome.merged() == {"c": "a", "d": "a"}
    assert outcome.ids("Contact") == ["a", "b"]


def test_a_record_kept_apart_that_stands_twice_in_the_export_is_one_row(case: MakeCase) -> None:
    rows = [contact(name, name, "info@x.example") for name in "acc"]
    outcome = case(objects={"Contact": rows}, rules=LINKED, absent={"Contact": ["Phone"]}).run(apart("ac"))
    assert outcome.ids("Contact") == ["a", "c"]
    assert outcome.merged() == {"c": "c"}


def test_a_pair_that_only_looks_alike_is_merged_once_it_is_signed(case: MakeCase) -> None:
    rows = [contact("a", "Ana", "a@x.example"), contact("b", "Ana", "b@x.example")]
    made = case(objects={"Contact": rows, "Member": MEMBERS}, rules=RULES)
    assert [record for record, _ in made.run().codes("possible_duplicate")] == ["b"]
    signed = made.run(MergeDecisions(merge=frozenset({Pair("Contact", "a", "b")})))
    assert signed.merged() == {"b": "a"}
    assert signed.codes("possible_duplicate") == []
    settled = made.run(MergeDecisions(keep_apart=frozenset({Pair("Contact", "b", "a")})))
    assert settled.codes("possible_duplicate") == []


def test_a_record_that_is_a_row_already_stays_the_survivor(case: MakeCase, tmp_path: Path) -> None:
    pq.write_table(pa.table({"_id": ["b"]}), tmp_path / "rows.parquet")
    rows = [contact("a", "Ana", "ana@x.example"), contact("b", "Ana", "ana@x.example")]
    outcome = case(objects={"Contact": rows, "Member": MEMBERS}, rules=RULES).run(
        established={"Contact": tmp_path / "rows.parquet"}
    )
    assert outcome.merged() == {"a": "b"}


def test_decisions_survive_as_text_and_a_later_one_replaces_the_earlier(tmp_path: Path) -> None:
    path = tmp_path / "merges.yaml"
    pair = Pair("Contact", "a", "b")
    assert add_decisions(path, MergeDecisions(merge=frozenset({pair})), by="ana") == 1
    assert add_decisions(path, MergeDecisions(merge=frozenset({pair})), by="ana") == 0
    assert add_decisions(path, MergeDecisions(keep_apart=frozenset({pair})), by="ben", why="two people") == 1
    assert read_decisions(path) == MergeDecisions(keep_apart=frozenset({pair}))


def test_an_entry_that_is_no_pair_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "merges.yaml"
    path.write_text("keep_apart:\n  - {object: Contact, records: [a]}\n")
    with pytest.raises(UsageError) as raised:
        read_decisions(path)
    assert raised.value.problems[0].where == "merges.yaml:2"


def test_a_review_file_gives_back_only_what_a_person_changed(tmp_path: Path) -> None:
    path = tmp_path / "merges.csv"
    path.write_text(
        "object,record,other,kind,why,decision\n"
        "Contact,b,a,merged,email,Keep apart\n"
        "Contact,c,a,merged,email,merge\n"
        "Contact,d,a,alike,same name,merge\n"
        "Contact,'=e,a,alike,same name,\n"
    )
    decided = read_review(path)
    assert decided.keep_apart == {Pair("Contact", "a", "b")}
    assert decided.merge == {Pair("Contact", "a", "d")}
    path.write_text("object,record,other,kind,why,decision\nContact,b,a,merged,email,perhaps\n")
    with pytest.raises(UsageError, match="'perhaps' is no decision"):
        read_review(path)


def test_a_review_that_a_spreadsheet_saved_with_its_own_separator_is_read(tmp_path: Path) -> None:
    path = tmp_path / "merges.csv"
    path.write_text("object;record;other;kind;why;decision\r\nContact;b;a;merged;email, phone;keep apart\r\n;;;;;\r\n")
    assert read_review(path) == apart("ab")
    path.write_text("object\trecord\tother\tkind\twhy\tdecision\nContact\tb\ta\tmerged\temail\tkeep apart\n")
    assert read_review(path) == apart("ab")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("merges.csv", b"object|record|other|kind|why|decision\nContact|b|a|merged|email|keep apart\n", "is missing"),
        ("merges.csv", b"", "is missing"),
        (
            "merges.csv",
            "object;record;other;kind;why;decision\nContact;\xe9;a;merged;x;merge".encode("cp1252"),
            "UTF-8",
        ),
        ("merges.csv", b'object,record,other,kind,why,decision\nContact,"b,a,merged,email,keep apart\n', "no CSV"),
        ("merges.xlsx", b"no workbook", "no workbook"),
    ],
)
def test_a_review_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=told) as raised:
        read_review(tmp_path / name)
    assert [problem.where for problem in raised.value.problems] == [name]


def test_a_pair_decided_one_way_here_and_another_there_is_told(tmp_path: Path) -> None:
    sheets = [tmp_path / "merges.csv", tmp_path / "other" / "merges.csv"]
    for path, word in zip(sheets, ("merge", "keep apart"), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"object,record,other,kind,why,decision\nContact,b,a,alike,name,{word}\n")
    with pytest.raises(UsageError, match=r"a and b: keep apart here, merge in merges\.csv, row 2"):
        read_review(*sheets)
