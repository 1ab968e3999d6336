"""What people decide stands in the map with their name, and stays when the map is proposed again."""

from pathlib import Path

import pytest
from mapping.map_files import write_maps

from flitstack.errors import UsageError
from flitstack.mapping.confirm import confirm, reject
from flitstack.mapping.maps import MapFile, open_proposals, read_maps

AT = "2026-11-21T10:00:00Z"
PERSON = """\
# the people of this customer
object: Person
routes:
  - table: lead
    name: lead
    phase: people
    when: choice_key(Rating) = 'hot'
    columns:
      firstname: {from: 'given_name(First, Last)', status: proposed, confidence: 0.9, why: [pack]}
      lastname: {from: 'family_name(First, Last)', status: proposed}
      new_score: {from: Score, status: proposed, create: {type: Integer}}  # asked Ana
      parentaccountid: {lookup: account, via: name, by: company_key(Firm), status: proposed}
    required: [lastname]
  - table: contact
    name: contact
    phase: people
    columns:
      lastname: {from: 'family_name(First, Last)', status: proposed}
      new_score: {from: Score, status: proposed, create: {type: Integer}}
    vocabulary: {column: new_tags, field: Tags, of: tags, status: proposed}
    unmapped: {Fax: {reason: no value in the export, status: proposed}}
"""
FIRM = "object: Firm\nroutes:\n  - {table: account, phase: firms, columns: {name: {from: Name, status: proposed}}}\n"


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    write_maps(tmp_path, PERSON, FIRM)
    return tmp_path


def read(maps: Path, name: str = "Person") -> MapFile:
    return read_maps(maps)[name]


def test_one_column_is_confirmed_in_every_route_that_proposes_it(maps: Path) -> None:
    assert confirm(maps, "Person.lastname", "ana", AT) == ("Person.lastname",)
    for route in read(maps).data["routes"]:
        assert dict(route["columns"]["lastname"])["status"] == "confirmed"
        assert (route["columns"]["lastname"]["by"], route["columns"]["lastname"]["at"]) == ("ana", AT)
    assert "Person.firstname" in open_proposals(read_maps(maps))


def test_an_object_is_confirmed_with_its_tags_and_its_unmapped_fields(maps: Path) -> None:
    confirm(maps, "Person", "ana", AT)
    assert open_proposals(read_maps(maps)) == ["Firm.name"]


def test_all_is_all_and_confirming_again_changes_no_byte(maps: Path) -> None:
    assert len(confirm(maps, "all", "ana", AT)) == 7
    assert open_proposals(read_maps(maps)) == []
    before = {path: path.read_bytes() for path in maps.iterdir()}
    assert confirm(maps, "all", "ben", "later") == ()
    assert {path: path.read_bytes() for path in maps.iterdir()} == before


def test_the_name_of_who_confirmed_does_not_overwrite_the_key_of_a_lookup(maps: Path) -> None:
    confirm(maps, "Person.parentaccountid", "ana", AT)
    rule = read(maps).routes[0].columns["parentaccountid"]
    assert (rule.alternatives[0].tables, rule.alternatives[0].via) == (("account",), "name")
    assert rule.alternatives[0].by == "company_key(Firm)"


def test_comments_survive_decisions(maps: Path) -> None:
    confirm(maps, "Person.firstname", "ana", AT)
    reject(maps, "Person.Fax", "nobody has one", "ana", AT)
    text = (maps / "Person.yaml").read_text()
    assert text.startswith("# the people of this customer")
    assert "# asked Ana" in text


def test_a_rejected_field_leaves_every_route_with_its_reason(maps: Path) -> None:
    assert reject(maps, "Person.Score", "not used since 2023", "ana", AT) == ("new_score",)
    for route in read(maps).routes:
        assert "new_score" not in route.columns
        assert route.unmapped["Score"].reason == "not used since 2023"
        assert route.unmapped["Score"].status == "confirmed"
    assert dict(read(maps).data["routes"][0]["unmapped"]["Score"])["by"] == "ana"


def test_rejected_tags_take_their_vocabulary_along(maps: Path) -> None:
    reject(maps, "Person.Tags", "cleaned up first", "ana", AT)
    assert read(maps).routes[1].vocabulary is None


def test_a_field_that_fills_a_column_together_with_others_is_not_torn_out(maps: Path) -> None:
    before = (maps / "Person.yaml").read_bytes()
    with pytest.raises(UsageError, match="First fills firstname together with Last") as raised:
        reject(maps, "Person.First", "no", "ana", AT)
    assert len(raised.value.problems) == 3
    assert (maps / "Person.yaml").read_bytes() == before


def test_a_column_can_be_rejected_by_its_name(maps: Path) -> None:
    assert reject(maps, "Person.firstname", "one name is enough", "ana", AT) == ("firstname",)
    assert "firstname" not in read(maps).routes[0].columns
    assert "firstname" in read(maps).routes[0].unmapped
    assert "lastname" in read(maps).routes[0].columns


@pytest.mark.parametrize("name", ["Persona", "Person.nickname", "Person.", "everything"])
def test_names_the_map_does_not_hold_are_told_with_those_it_does(maps: Path, name: str) -> None:
    with pytest.raises(UsageError, match="the map holds no") as raised:
        reject(maps, name, "no", "ana", AT)
    assert raised.value.problems[0].known
