"""A pack is read whole, or every mistake of it is told with file and line."""

from pathlib import Path

import pytest

from flitstack.errors import UsageError
from flitstack.packs.read import load_pack, pack_names

PACK = """\
pack: tiny
title: Tiny CRM
format: 1
objects:
  User:
    files: [users.csv]
    key: Id
    optional: true
    fields: {Id: {means: user.id}}
  Person:
    label: People
    files: ["people*.csv", "book.xlsx#People"]
    key: Id
    fields:
      Id:      {means: record.id, headers: [Person Id]}
      Name:    {means: person.full_name, required: true}
      Mail:    {type: email, sensitive: true}
      Tags:    {type: list, separator: ";"}
      Created: {means: record.created_at, type: datetime, pattern: "%d/%m/%Y", zone: Europe/Kyiv}
      Owner:   {means: record.owner, links: User}
      Kind:    {type: choice, values: [hot, cold]}
"""
PLAYBOOK = """\
playbook: tiny
format: 1
phases: [people]
reference:
  User: {becomes: users, why: matched}
vocabularies:
  tags: {of: [Person.Tags], separator: ";"}
decisions:
  date_order: {question: Which?, options: {DMY: day, MDY: month}, default: DMY}
  limit: {question: How large?, kind: number, default: 0}
routes:
  Person:
    - {table: contact, phase: people, key: Id, columns: {lastname: {from: Name}}}
unrouted: {Person: {code: out_of_scope}}
"""


def write_pack(folder: Path, pack: str = PACK, playbook: str = PLAYBOOK, **more: str) -> Path:
    for name, text in {"pack": pack, "playbook": playbook, **more}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def mistakes(folder: Path) -> list[str]:
    with pytest.raises(UsageError) as raised:
        load_pack(folder)
    assert all(problem.do for problem in raised.value.problems)
    return [f"{problem.where.rpartition('/')[2]} {problem.code}: {problem.what}" for problem in raised.value.problems]


def test_a_folder_becomes_a_pack(tmp_path: Path) -> None:
    pack = load_pack(write_pack(tmp_path))
    person = pack.objects["Person"]
    assert (pack.name, pack.title, list(pack.objects)) == ("tiny", "Tiny CRM", ["User", "Person"])
    assert (person.label, person.key, person.optional) == ("People", "Id", False)
    assert person.files == ("people*.csv", "book.xlsx#People")
    assert person.fields["Created"].zone == "Europe/Kyiv"
    assert person.fields["Kind"].values == ("hot", "cold")
    assert person.fields["Mail"].sensitive
    assert person.fields["Name"].required
    assert pack.decisions["date_order"].options == {"DMY": "day", "MDY": "month"}
    assert pack.decisions["limit"].kind == "number"
    assert pack.playbook["routes"]["Person"][0]["table"] == "contact"


def test_rules_of_deduping_beside_it_belong_to_the_playbook(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, dedupe="Person: {identity: [{rule: mail, key: email_key(Mail)}]}\n")
    assert load_pack(folder).playbook["dedupe"]["Person"]["identity"][0]["rule"] == "mail"


def test_a_pack_may_lack_a_playbook(tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_text(PACK)
    assert load_pack(tmp_path).playbook == {}


def test_bundled_packs_are_found_by_name() -> None:
    assert "klipy" in pack_names()
    assert load_pack("klipy").title == "Klipy CRM"


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="there is no pack 'clippy'") as raised:
        load_pack("clippy")
    assert "klipy" in raised.value.problems[0].known


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("type: email", "type: mail", "pack.yaml:17 pack-unknown-word: field Mail: 'mail' is no type"),
        ("sensitive: true", "secret: true", "pack.yaml:17 pack-unknown-word: 'secret' is no part of a field"),
        ("links: User", "links: Usr", "pack.yaml:20 pack-link: Person.Owner links to 'Usr', which is no object"),
        ("    label: People\n    files", "    names: x\n    files", "pack.yaml:11 pack-unknown-word: 'names' is no part"),
        ("    key: Id\n    fields:", "    key: No\n    fields:", "pack.yaml:10 pack-key: object Person: key 'No' is not one"),
        ("      Kind:    {type: choice, values: [hot, cold]}", "      Kind: choice", "pack.yaml:21 pack-form: Kind: a field must be a mapping"),
        ('files: ["people*.csv", "book.xlsx#People"]', "files: people.csv", "pack.yaml:12 pack-form: Person: files must be a list"),
        ("Europe/Kyiv", "Europe/Kiyv", "pack.yaml:19 pack-zone: field Created: 'Europe/Kiyv' is no time zone"),
    ],
)  # fmt: skip
def test_a_mistake_of_the_pack_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in PACK
    (found,) = mistakes(write_pack(tmp_path, PACK.replace(old, new)))
    assert found.startswith(told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("phase: people", "phase: places", "playbook.yaml:13 pack-unknown-word: route 1 of Person: phase 'places'"),
        ("  Person:\n    -", "  Persons:\n    -", "playbook.yaml:12 pack-unknown-word: routes for 'Persons'"),
        ("default: DMY", "default: YMD", "playbook.yaml:9 decision-default: decision date_order: default 'YMD'"),
        ("unrouted:", "unroutd:", "playbook.yaml:14 pack-unknown-word: 'unroutd' is no part of a playbook"),
        ("User: {becomes", "Usr: {becomes", "playbook.yaml:5 pack-unknown-word: reference names 'Usr', which is no object"),
        ("unrouted: {Person:", "unrouted: {Persona:", "playbook.yaml:14 pack-unknown-word: unrouted names 'Persona'"),
        ("of: [Person.Tags]", "of: [Person.Labels]", "playbook.yaml:7 pack-link: vocabulary tags: there is no field Person.Labels"),
        ("{table: contact, phase", "{phase", "playbook.yaml:13 pack-form: route 1 of Person names no table"),
        ("limit: {question: How large?, kind: number, default: 0}", "limit: 0", "playbook.yaml:10 pack-form: limit: a decision must be a mapping"),
    ],
)  # fmt: skip
def test_a_mistake_of_the_playbook_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in PLAYBOOK
    (found,) = mistakes(write_pack(tmp_path, playbook=PLAYBOOK.replace(old, new)))
    assert found.startswith(told)


def test_all_mistakes_of_both_files_come_in_one_go(tmp_path: Path) -> None:
    pack = PACK.replace("type: email", "type: mail").replace("links: User", "links: Usr")
    found = mistakes(write_pack(tmp_path, pack, PLAYBOOK.replace("phase: people", "phase: places")))
    assert [one.partition(" ")[0] for one in found] == ["pack.yaml:17", "pack.yaml:20", "playbook.yaml:13"]


def test_a_pack_without_objects_is_refused(tmp_path: Path) -> None:
    (found,) = mistakes(write_pack(tmp_path, "pack: empty\n", "phases: []\n"))
    assert found.startswith("pack.yaml:1 pack-empty: the pack names no objects")


def test_text_that_is_no_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pack\.yaml is no YAML"):
        load_pack(write_pack(tmp_path, PACK + "  - [\n"))
