"""Mistakes of a map are told all at once, each with its line; lines of the maps below say what is wrong with them."""

from pathlib import Path

import pytest
from mapping.map_files import make_pack, make_staged, problems, write_maps

from flitstack.catalogue.read import load_catalogue
from flitstack.mapping.check import check_maps

GOOD = """\
format: 1
object: Person
routes:
  - table: lead
    name: lead
    phase: people
    when: choice_key(Rating) = 'hot'
    key: Id
    matches: {id: Id, email: email_key(Email)}
    columns:
      firstname: {from: 'given_name(Name, NULL)'}
      lastname: {from: 'family_name(Name, NULL)'}
      emailaddress1: {from: email_key(Email)}
      companyname: {from: Company}
      leadqualitycode: {from: Rating, choices: {Hot: 1, Warm: 2, Cold: 3}, otherwise: hold}
    unmapped: {Score: "not used since 2023, decided by ana"}
"""


def broken(old: str, new: str) -> str:
    """The good map with one thing changed."""
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_good_map_has_no_problems(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{from: Company}", "{from: Firm}", ["expression-refused 14: no field Firm in: Firm"]),
        ("{from: Company}", "{from: 'upper('}", ["expression-refused 14"]),
        ("{from: Company}", "{from: '(SELECT 1)'}", ["expression-refused 14: only a scalar expression"]),
        ("{from: Company}", "{from: \"read_text('/etc/passwd')\"}", ["expression-refused 14: function read_text"]),
        ("{from: Company}", "{from: 'getenv(Company)'}", ["expression-refused 14: function getenv"]),
        ("{from: Company}", "{from: 'Company; DROP TABLE x'}", ["expression-refused 14"]),
        ("{from: Company}", "{from: 'year(Company)'}", ["expression-refused 14"]),
        ("{from: Company}", "{from: \"decision('even')\"}", ["expression-refused 14: no decision 'even'"]),
        ("companyname:", "companynames:", ["column-unknown 14: lead has no column companynames"]),
        ("companyname:", "fullname:", ["column-closed 14: lead.fullname cannot be set"]),
        ("companyname:", "parentaccountid:", ["column-unsuitable 14"]),
        ("table: lead", "table: leed", ["table-unknown 4: there is no table leed"]),
        ("phase: people", "phase: party", ["phase-unknown 6: 'party' is no phase"]),
        ("Warm: 2", "Warm: 9", ["choice-unknown 15: 9 is not an option of lead.leadqualitycode"]),
        ("Warm: 2", "Warm: Tepid", ["column-unsuitable 15: lead.leadqualitycode: 'Tepid' is not an option"]),
        ("otherwise: hold", "otherwise: guess", ["map-word 15: leadqualitycode: 'guess' is no way to say otherwise"]),
        ("otherwise: hold", "otherwise: 'decision:odd'", []),
        ("otherwise: hold", "otherwise: 'decision:even'", ["map-word 15"]),
        ("{from: Company}", "{from: Company, too_long: cut}", ["map-word 14: companyname: 'cut'"]),
        ("{from: Company}", "{from: Company, field: Firm}", ["field-unknown 14: lead.companyname: there is no field"]),
        ("{from: Company}", "{}", ["column-empty 14: nothing fills lead.companyname"]),
        (
            "    unmapped: {Score: \"not used since 2023, decided by ana\"}\n",
            "",
            ["field-forgotten 3: the map says nothing about Person.Score"],
        ),
        (
            "companyname: {from: Company}",
            "new_firm: {from: Company, create: {type: Sting}}",
            ["create-refused 14: lead.new_firm: Sting is no type of column that can be made"],
        ),
        (
            "companyname: {from: Company}",
            "new_firm: {from: Company, create: {type: String, length: 9000}}",
            ["create-refused 14: lead.new_firm: length 9000 of a String"],
        ),
        (
            "companyname: {from: Company}",
            "new_firm: {from: Company, create: {type: Picklist, options: [[1, A], [1, B]]}}",
            ["create-refused 14: lead.new_firm: two options share a number"],
        ),
        (
            "companyname: {from: Company}",
            "leadid: {from: Company, create: {type: String}}",
            ["create-refused 14: lead.leadid is the id that the platform gives the table's rows"],
        ),
        ("{from: Company}", "{from: Company, when: \"decision('odd') = 'blank'\"}", []),
        (
            "{from: Company}",
            "{from: Company, when: \"Company = 'x'\"}",
            ["column-when 14: companyname: when: of a column asks decisions, not the record"],
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    # A change may also leave a field without a mention: that is a case of its own.
    wanted = {one.partition(" ")[0] for one in told}
    found = [
        one for one in problems(tmp_path, broken(old, new)) if wanted & {"field-forgotten"} or "forgotten" not in one
    ]
    assert len(found) == len(told), found
    for one, start in zip(found, told, strict=True):
        assert one.startswith(start)


@pytest.mark.parametrize(
    ("lookup", "told"),
    [
        ("{lookup: [{table: account, via: name, by: 'company_key(Company)'}]}", []),
        ("{lookup: account, via: name, by: 'company_key(Company)'}", []),
        ("{lookup: [{table: account, via: code, by: Company}]}", ["lookup-index 5: lead.parentaccountid"]),
        ("{lookup: [{table: incident, via: name, by: Company}]}", ["lookup-target 5", "lookup-unrouted 5"]),
        ("{lookup: [{table: account, via: name}]}", ["lookup-key 5"]),
        ("{lookup: [{table: account, via: name, by: Firm}]}", ["expression-refused 5: no field Firm"]),
        ("{lookup: [{table: account, via: name, by: Company}], missing: stub}", ["map-word 5"]),
    ],
)
def test_lookups_lead_to_tables_and_indexes_that_routes_fill(tmp_path: Path, lookup: str, told: list[str]) -> None:
    people = f"""\
object: Person
routes:
  - {{table: lead, name: lead, phase: people, key: Id, matches: {{}}, columns: {{
      lastname: {{from: Name}},
      parentaccountid: {lookup},
    }}, unmapped: {{Email: none, Rating: none, Score: none, Company: none}}}}
"""
    firms = """\
object: Firm
routes:
  - {table: account, phase: accounts, key: Id, matches: {name: company_key(Name)}, columns: {name: {from: Name}}}
"""
    pack = make_pack({"Person": ("Id", "Name", "Email", "Company", "Rating", "Score"), "Firm": ("Id", "Name")})
    found = problems(tmp_path, people, firms, pack=pack)
    assert [one[: len(start)] for one, start in zip(found, told, strict=True)] == told


def test_states_and_participants_must_exist(tmp_path: Path) -> None:
    text = """\
object: Person
routes:
  - table: task
    phase: people
    key: Id
    columns: {subject: {from: Name}}
    parties:
      - {mask: 99, owner: Email}
      - {mask: 2}
    states:
      - {state: 7, status: 1}
      - {state: 1, status: 99}
      - {action: win}
    unmapped: {Company: none, Rating: none, Score: none}
"""
    assert [one.partition(":")[0] for one in problems(tmp_path, text)] == [
        "party-mask 8", "party-empty 9", "state-unknown 11", "status-unknown 12", "state-action 13",
    ]  # fmt: skip


def test_rows_beside_a_record_are_checked_like_others(tmp_path: Path) -> None:
    text = """\
object: Person
routes:
  - {table: contact, name: person, phase: people, key: Id, columns: {lastname: {from: Name}}, unmapped: {Rating: none}}
  - table: account
    phase: people
    key: label_key(Company)
    distinct: true
    also: true
    unless:
      - {table: account, via: name, by: label_key(Company)}
      - {table: contact}
    columns: {name: {from: Company}, description: {from: Firm}}
    unmapped: {Email: none, Score: none}
"""
    assert [one.partition(":")[0] for one in problems(tmp_path, text)] == [
        "lookup-index 9", "lookup-index 9", "lookup-key 9", "expression-refused 12",
    ]  # fmt: skip


def test_all_mistakes_of_all_files_come_at_once_and_say_what_to_do(tmp_path: Path) -> None:
    pack = make_pack({"Person": ("Id", "Name"), "Firm": ("Id", "Name")})
    route = "routes: [{{table: {0}, phase: people, key: Id, columns: {{name: {{from: Title}}}}}}]\nobject: {1}\n"
    maps = write_maps(tmp_path, route.format("account", "Firm"), route.format("lead", "Person"))
    found = check_maps(maps, pack, make_staged(pack), load_catalogue().tables)
    assert {problem.rule.partition(":")[0].partition("/")[2] for problem in found} == {"Firm.yaml", "Person.yaml"}
    assert all(problem.code and problem.what and problem.do for problem in found)


def test_two_routes_do_not_make_one_column_differently(tmp_path: Path) -> None:
    text = """\
object: Person
routes:
  - {table: lead, name: a, phase: people, when: "Rating = 'a'", key: Id, columns: {
      new_x: {from: Score, create: {type: Integer}}}}
  - {table: lead, name: b, phase: people, key: Id, columns: {
      new_x: {from: Score, create: {type: String}}, lastname: {from: Name}, companyname: {from: Company}},
     unmapped: {Email: none}}
"""
    assert [one.partition(":")[0] for one in problems(tmp_path, text)] == ["create-twice 6"]


def test_the_text_of_a_mistake_has_the_shape_of_all_errors(tmp_path: Path) -> None:
    pack = make_pack()
    maps = write_maps(tmp_path / "mapping", broken("Warm: 2", "Warm: 9"))
    (problem,) = check_maps(maps, pack, make_staged(pack), load_catalogue().tables)
    assert problem.render() == (
        "error[choice-unknown] 9 is not an option of lead.leadqualitycode\n"
        "  rule   mapping/Person.yaml:15\n"
        "  known  Hot = 1, Warm = 2, Cold = 3\n"
        "  do     name an option for 'Warm', or take it out"
    )
