"""The files and their reader: what is written is read back, and one table is read without the others."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flitstack.catalogue.parse import parse_lookups, parse_table
from flitstack.catalogue.read import TABLES, UnknownTable, load_catalogue, load_table, table_names

ROOT = Path(__file__).parents[2]
printable = st.text().filter(str.isprintable)
scalars = st.none() | st.booleans() | st.integers() | st.floats(-1e15, 1e15).filter(lambda x: x != int(x)) | printable
lines = st.dictionaries(printable | st.integers(), scalars | st.lists(scalars, max_size=3), max_size=4)
labels = st.sampled_from(
    ["Yes", "No", "None", "on", "1.5", "0x1F", "Price: net", "a #b", "- x", "~", "", " x ", "Ünïcode"]
)


def spelling() -> ModuleType:
    spec = importlib.util.spec_from_file_location("catalogue_yaml", ROOT / "tools" / "catalogue_yaml.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SPELLING = spelling()


@given(st.dictionaries(printable, lines, min_size=1, max_size=4))
def test_what_the_compiler_writes_reads_back(content: dict[str, object]) -> None:
    written = SPELLING.document("some table", [("columns", content)])
    assert yaml.safe_load(written) == {"columns": content}


@given(labels)
def test_labels_stay_text(label: str) -> None:
    assert yaml.safe_load(SPELLING.flow({1: label})) == {1: label}


@pytest.mark.parametrize("name", table_names())
def test_every_file_keeps_one_column_a_line(name: str) -> None:
    text = (TABLES / f"{name}.yaml").read_text(encoding="utf-8")
    assert sum(line.startswith("  ") and "schema:" in line for line in text.splitlines()) == len(
        load_table(name).columns
    )


def test_one_table_is_the_same_alone_as_in_the_catalogue() -> None:
    assert load_table("lead") is load_catalogue().tables["lead"]


def test_an_unknown_table_is_refused_with_a_near_name() -> None:
    with pytest.raises(UnknownTable, match=r"opportunitys.*did you mean opportunity"):
        load_table("opportunitys")


def test_a_table_is_not_looked_up_outside_the_folder() -> None:
    with pytest.raises(UnknownTable):
        load_table("../outside")


MINIMAL = """
table: {schema: Pet, set: pets, id: petid, name: name, label: P, plural: Ps, ownership: UserOwned, code: 9, source: me}
traits: [customizable]
states:
  1: {label: Young, default: 10, statuses: {10: Puppy}}
  0: {label: Grown, default: 20, statuses: {20: Dog, 21: Old dog}}
columns:
  ownerid: {schema: OwnerId, type: Owner, req: SystemRequired, ops: CRU, to: [systemuser, team], nav: ownerid}
  petid: {schema: PetId, type: Uniqueidentifier, ops: CR-}
  regardingid: {schema: RegardingId, type: Lookup, ops: CRU, to: [account, lead], nav: regardingid_*}
  statecode: {schema: StateCode, type: State, ops: -RU, default: 1}
  statuscode: {schema: StatusCode, type: Status, ops: CRU}
  vetid: {schema: VetId, type: Lookup, ops: CRU, to: [contact]}
  wild: {schema: Wild, type: Boolean, ops: CRU, default: false, opts: {1: "Yes", 0: "No"}, set: yesno, global: true}
lookups:
  pet_vet: {column: vetid, to: contact, nav: VetId, cascade: {owner: Cascade, delete: Restrict}}
  pet_owner: {column: ownerid, to: owner, collection: null}
"""


def test_left_out_facts_follow_from_the_rest_of_the_file() -> None:
    content = yaml.safe_load(MINIMAL)
    table = parse_table("pet", content)
    assert table.columns["vetid"].navigation == {"contact": "VetId"}
    assert table.columns["ownerid"].navigation == {"systemuser": "ownerid", "team": "ownerid"}
    assert table.columns["regardingid"].navigation == {"account": "regardingid_account", "lead": "regardingid_lead"}
    assert [(option.value, option.state) for option in table.columns["statuscode"].options] == [
        (10, 1),
        (20, 0),
        (21, 0),
    ]
    assert table.columns["statecode"].option_set == "pet_statecode"
    assert table.columns["wild"].option_set == "yesno"
    assert (table.is_customizable, table.has_notes, table.messages) == (True, False, frozenset())
    vet, owner = parse_lookups("pet", content)
    assert vet.referenced_column == "contactid"
    assert vet.cascade == {
        "assign": "Cascade",
        "delete": "Restrict",
        "merge": "NoCascade",
        "reparent": "Cascade",
        "share": "Cascade",
        "unshare": "Cascade",
    }
    assert (owner.navigation, owner.collection) == ("ownerid", None)
