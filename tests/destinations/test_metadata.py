"""Metadata as Microsoft's pages show it, read into catalogue types."""

from typing import Any

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.metadata import read_column

CATALOGUE = load_catalogue()


def label(text: str) -> dict[str, Any]:
    localized = {"Label": text, "LanguageCode": 1033}
    return {"LocalizedLabels": [localized], "UserLocalizedLabel": localized}


def attribute(kind: str, **members: Any) -> dict[str, Any]:
    return {
        "LogicalName": "new_x",
        "SchemaName": "new_X",
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "RequiredLevel": {"Value": "ApplicationRequired", "CanBeChanged": True},
        "DisplayName": label("X"),
        "IsValidForCreate": True,
        "IsValidForUpdate": True,
        "IsValidForRead": True,
        **members,
    }


def test_a_text_column_keeps_length_format_and_label() -> None:
    found = read_column(attribute("String", MaxLength=100, FormatName={"Value": "Email"}, Format="Email"), {}, {}, None)
    assert (found.type, found.max_length, found.format, found.label) == ("String", 100, "Email", "X")
    assert (found.required, found.creatable, found.updatable) == ("ApplicationRequired", True, True)


def test_a_multi_select_choice_hides_behind_virtual() -> None:
    definition = attribute("Virtual", AttributeTypeName={"Value": "MultiSelectPicklistType"})
    choice = {
        "OptionSet": {"Name": "new_x", "IsGlobal": True, "Options": [{"Value": 727000000, "Label": label("One")}]}
    }
    found = read_column(definition, choice, {}, None)
    assert (found.type, found.is_global_choice) == ("MultiSelectPicklist", True)
    assert [(option.value, option.label) for option in found.options] == [(727000000, "One")]


def test_a_global_choice_is_found_beside_an_empty_local_one() -> None:
    choice = {"OptionSet": None, "GlobalOptionSet": {"Name": "g", "Options": [{"Value": 5, "Label": label("Five")}]}}
    assert [option.value for option in read_column(attribute("Picklist"), choice, {}, None).options] == [5]


def test_yes_and_no_are_options_too() -> None:
    choice = {
        "DefaultValue": True,
        "OptionSet": {
            "TrueOption": {"Value": 1, "Label": label("Yes")},
            "FalseOption": {"Value": 0, "Label": label("No")},
        },
    }
    found = read_column(attribute("Boolean"), choice, {}, None)
    assert [(option.value, option.label) for option in found.options] == [(0, "No"), (1, "Yes")]
    assert found.default is True


def test_a_status_reason_knows_its_state() -> None:
    choice = {"OptionSet": {"Options": [{"Value": 3, "Label": label("Won"), "State": 1}]}}
    assert read_column(attribute("Status"), choice, {}, None).options[0].state == 1


def test_date_behaviour_and_money_precision() -> None:
    day = read_column(attribute("DateTime", Format="DateOnly", DateTimeBehavior={"Value": "DateOnly"}), {}, {}, None)
    assert (day.date_behaviour, day.format) == ("DateOnly", "DateOnly")
    money = read_column(attribute("Money", Precision=2, PrecisionSource=2, MinValue=-1e9, MaxValue=1e9), {}, {}, None)
    assert (money.precision, money.precision_source, money.min_value) == (2, 2, -1e9)


def test_an_owner_binds_its_targets_by_the_owner_relationship() -> None:
    found = read_column(attribute("Owner", Targets=["systemuser", "team"]), {}, {"owner": "ownerid_task"}, None)
    assert found.navigation == {"systemuser": "ownerid_task", "team": "ownerid_task"}


def test_what_a_service_leaves_out_comes_from_the_catalogue() -> None:
    known = CATALOGUE.tables["contact"].columns["firstname"]
    found = read_column({"LogicalName": "firstname", "AttributeType": "String"}, {}, {}, known)
    assert (found.max_length, found.creatable, found.label) == (known.max_length, known.creatable, known.label)


def test_what_the_environment_says_wins_over_the_catalogue() -> None:
    known = CATALOGUE.tables["contact"].columns["firstname"]
    definition = attribute("String", LogicalName="firstname", MaxLength=90, IsValidForUpdate=False)
    found = read_column(definition, {}, {}, known)
    assert (found.max_length, found.updatable) == (90, False)
