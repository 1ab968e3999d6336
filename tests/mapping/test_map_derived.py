"""Fields made of another object's records, and participants that may be users."""

from collections.abc import Callable

import pytest
from mapping.map_case import MapCase
from mapping.test_map_lookups import digest

from flitstack.errors import UsageError

CARD = """routes:
  - {table: contact, name: card, phase: contacts, key: Id, matches: {email: 'email_key(Mail)'},
     columns: {lastname: {from: Id}, description: {from: said}, numberofchildren: {from: messages}}}"""
MESSAGE = """routes:
  - {table: annotation, name: note, phase: rest, key: Id, when: '_id = opens', columns: {notetext: {from: day}}}
unrouted: {code: joined, outcome: merged, field: Text}"""
DERIVED = {
    "Card": {
        "messages": {"from": "Message", "own": "Id", "their": "Chat", "count": True},
        "said": {"from": "Message", "own": "Id", "their": "Chat", "list": "Text"},
    },
    "Message": {
        "opens": {"from": "Message", "own": "Chat", "their": "Chat", "first": "_id"},
        "day": {"from": "Message", "own": "Chat", "their": "Chat", "lines": "Text || '!'"},
    },
}


def test_lines_stand_in_the_order_of_the_files_and_none_is_lost(case: Callable[..., MapCase]) -> None:
    texts = ["b", "a", "b"]
    mapped = case(
        objects={
            "Card": [{"Id": "k", "Mail": None}, {"Id": "alone", "Mail": None}],
            "Message": [{"Id": str(n), "Chat": "k", "Text": text} for n, text in enumerate(texts, start=1)],
        },
        maps={"Card": CARD, "Message": MESSAGE},
        playbook={"derived": DERIVED},
    ).run()
    assert {row["notetext"] for row in mapped.rows["note"].values()} == {"b!\na!\nb!"}
    cards = mapped.rows["card"]
    assert (cards["k"]["description"], cards["k"]["numberofchildren"]) == ("a;b", 3)
    assert (cards["alone"]["description"], cards["alone"]["numberofchildren"]) == (None, 0)
    assert [found[:3] for found in mapped.findings] == [("joined", "2", "merged"), ("joined", "3", "merged")]


def test_a_participant_that_no_row_is_known_by_may_be_a_user(case: Callable[..., MapCase]) -> None:
    meeting = """routes:
  - table: appointment
    name: meeting
    phase: rest
    key: Id
    columns: {subject: {from: Id}}
    parties: [{mask: 5, table: [contact, lead], via: email, each: "split_list(Mails, ';')", key: email_key, users: true}]"""
    mapped = case(
        objects={
            "Card": [
                {"Id": "k", "Mail": "ana@x.com"},
                {"Id": "1", "Mail": "two@x.com"},
                {"Id": "2", "Mail": "two@x.com"},
            ],
            "Message": [{"Id": "1", "Chat": None, "Text": None}],
            "Meeting": [{"Id": "m", "Mails": "Ana@x.com; boss@us.com; two@x.com"}],
        },
        maps={"Card": CARD, "Message": MESSAGE, "Meeting": meeting},
        playbook={"derived": DERIVED},
    ).run()
    assert mapped.rows["meeting"]["m"]["_parties"] == [
        {"mask": 5, "table": "contact", "digest": digest("Card", "k"), "address": "ana@x.com"},
        {"mask": 5, "table": "owner", "digest": None, "address": "boss@us.com"},
        {"mask": 5, "table": None, "digest": None, "address": "two@x.com"},  # two people have it
    ]


def test_derived_fields_may_read_each_other_in_any_order_but_not_in_a_circle(case: Callable[..., MapCase]) -> None:
    """A card's first text, of which a message knows, of which the card knows: objects are visited more than once."""
    derived = {
        "Card": {
            "messages": {"from": "Message", "own": "Id", "their": "Chat", "list": "heading"},
            "said": {"from": "Message", "own": "Id", "their": "Chat", "min": "Text"},
        },
        "Message": {"heading": {"from": "Card", "own": "Chat", "their": "Id", "first": "said || '!'"}},
    }
    rows = {
        "Card": [{"Id": "k", "Mail": None}],
        "Message": [{"Id": "1", "Chat": "k", "Text": "b"}, {"Id": "2", "Chat": "k", "Text": "a"}],
    }
    card = CARD.replace("numberofchildren: {from: messages}", "jobtitle: {from: messages}")
    message = """routes:
  - {table: annotation, name: note, phase: rest, key: Id, columns: {subject: {from: heading}, notetext: {from: Text}}}"""
    maps = {"Card": card, "Message": message}
    mapped = case(objects=rows, maps=maps, playbook={"derived": derived}).run()
    assert (mapped.rows["card"]["k"]["description"], mapped.rows["card"]["k"]["jobtitle"]) == ("a", "a!")
    assert {row["subject"] for row in mapped.rows["note"].values()} == {"a!"}
    derived["Card"]["said"]["min"] = "heading"
    with pytest.raises(UsageError) as error:
        case(objects=rows, maps=maps, playbook={"derived": derived}).run()
    assert [problem.code for problem in error.value.problems] == ["derived-circle"]


def test_a_column_stands_or_falls_with_a_decision(case: Callable[..., MapCase]) -> None:
    card = """routes:
  - {table: contact, name: card, phase: contacts, key: Id, columns: {lastname: {from: Id},
     nickname: {from: Mail, when: "decision('nick') = 'yes'"}, jobtitle: {from: Mail, when: "decision('nick') <> 'yes'"}}}"""
    for nick, wanted in (("yes", ["lastname", "nickname"]), ("no", ["lastname", "jobtitle"])):
        mapped = case(objects={"Card": [{"Id": "k", "Mail": "m"}]}, maps={"Card": card}, decisions={"nick": nick}).run()
        assert [column.name for column in mapped.route("card").columns] == wanted


def test_a_lookup_to_a_table_that_nothing_makes_is_left_out(case: Callable[..., MapCase]) -> None:
    """The export holds no courses: there is no table that the column could point to."""
    card = """routes:
  - {table: contact, name: card, phase: contacts, key: Id, columns: {lastname: {from: Id},
     t_courseid: {lookup: [{table: t_course, via: course, by: Mail}], create: {type: Lookup, targets: [t_course], label: Course}}}}"""
    mapped = case(objects={"Card": [{"Id": "k", "Mail": "m"}]}, maps={"Card": card}).run()
    assert [column.name for column in mapped.route("card").columns] == ["lastname"]


def test_a_field_may_be_worked_out_once_and_of_several_keys_the_first_known_one_decides(
    case: Callable[..., MapCase],
) -> None:
    meeting = """routes:
  - {table: task, name: meeting, phase: rest, key: Id, columns: {subject: {from: Id}, description: {from: home}}}"""
    mapped = case(
        objects={
            "Card": [{"Id": "k", "Mail": "ana@x.com"}, {"Id": "l", "Mail": "Two@x.com"}],
            "Message": [{"Id": "1", "Chat": None, "Text": None}],
            "Meeting": [
                {"Id": "two known", "Mails": "stranger@x.com; two@x.com; ana@x.com"},
                {"Id": "nobody known", "Mails": "stranger@x.com"},
                {"Id": "nobody", "Mails": None},
            ],
        },
        maps={"Card": CARD, "Message": MESSAGE, "Meeting": meeting},
        playbook={
            "derived": {
                **DERIVED,
                "Meeting": {
                    "who": {"from": "Card", "own": "list_transform(split_list(Mails, ';'), lambda m: email_key(m))",
                            "their": "email_key(Mail)", "first": "Id"},
                    "home": {"is": "who || '/' || path_part(Id)"},
                },
            }
        },
    ).run()  # fmt: skip
    assert {key: row["description"] for key, row in mapped.rows["meeting"].items()} == {
        "two known": "l/two-known-ca03a7a5", "nobody known": None, "nobody": None,
    }  # fmt: skip
