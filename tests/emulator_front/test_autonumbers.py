"""Autonumber columns number rows. Source: Microsoft Learn, "Create auto-number columns"."""

import re

import pytest
from front_wire import Reply, Wire


def table(wire: Wire, name: str, pattern: str) -> Reply:
    label = {"LocalizedLabels": [{"Label": name, "LanguageCode": 1033}]}
    primary = {
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
        "SchemaName": "new_Number",
        "IsPrimaryName": True,
        "MaxLength": 100,
        "AutoNumberFormat": pattern,
        "DisplayName": label,
    }
    body = {
        "SchemaName": f"new_{name}",
        "DisplayName": label,
        "DisplayCollectionName": label,
        "OwnershipType": "UserOwned",
        "Attributes": [primary],
    }
    return wire.post("EntityDefinitions", body)


def numbers(wire: Wire, name: str) -> list[str]:
    return [
        row["new_number"] for row in wire.get(f"new_{name}s?$select=new_number&$orderby=createdon,new_number")["value"]
    ]


def test_rows_are_numbered_from_a_thousand_and_keep_what_they_bring(shared_wire: Wire) -> None:
    assert table(shared_wire, "car", "CAR-{SEQNUM:5}-{RANDSTRING:4}-{DATETIMEUTC:yyyyMMdd}").status == 204
    targets = [{"@odata.type": "Microsoft.Dynamics.CRM.new_car"} for _ in range(3)]
    targets[1] |= {"new_number": "own"}
    assert shared_wire.post("new_cars/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": targets}).status == 200
    assert shared_wire.post("new_cars", {}).status == 204
    made = sorted(numbers(shared_wire, "car"))
    assert made[3] == "own"
    assert [number[:9] for number in made[:3]] == ["CAR-01000", "CAR-01001", "CAR-01002"]
    assert all(re.fullmatch(r"CAR-\d{5}-[A-Z0-9]{4}-\d{8}", number) for number in made[:3])


def test_the_seed_is_set_and_read(shared_wire: Wire) -> None:
    assert table(shared_wire, "tram", "{SEQNUM:3}").status == 204
    seed = {"EntityName": "new_tram", "AttributeName": "new_number", "Value": 7}
    assert shared_wire.post("SetAutoNumberSeed", seed).status == 204
    read = "(EntityName='new_tram',AttributeName='new_number')"
    assert shared_wire.get(f"GetNextAutoNumberValue{read}")["NextAutoNumberValue"] == 7
    shared_wire.post("new_trams", {})
    assert shared_wire.get(f"GetAutoNumberSeed{read}")["AutoNumberSeedValue"] == 8
    assert shared_wire.post("SetAutoNumberSeed", seed | {"AttributeName": "createdon"}).status == 400
    assert shared_wire.post("SetAutoNumberSeed", seed | {"Value": -1}).status == 400


@pytest.mark.parametrize("pattern", ["{SEQNUM}", "{RANDSTRING:7}", "{WHAT:1}", "{SEQNUM:4"])
def test_a_format_that_is_none_is_refused(shared_wire: Wire, pattern: str) -> None:
    assert table(shared_wire, "bad", pattern).status == 400
