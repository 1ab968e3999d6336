"""A cache of definitions that lags behind. Source: Microsoft Learn, "Compose HTTP requests and handle errors"."""

from collections.abc import Iterator

import pytest
from front_wire import Wire

COLUMNS = "EntityDefinitions(LogicalName='account')/Attributes"
FIND = f"{COLUMNS}?$select=LogicalName&$filter=LogicalName eq 'new_{{}}'"
STRONG = {"Consistency": "Strong"}


@pytest.fixture
def lagging(wire: Wire) -> Iterator[Wire]:
    """Thirty seconds behind, in a clock that stands."""
    wire.admin("clock", {"rate": 0})
    wire.admin("faults", {"rules": [], "metadata_lag_s": 30})
    yield wire
    wire.admin("faults", {"rules": []})


def add_column(wire: Wire, name: str) -> None:
    body = {
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
        "SchemaName": f"new_{name}",
        "MaxLength": 9,
    }
    assert wire.post(COLUMNS, body).status == 204


def seen(wire: Wire, name: str, headers: dict[str, str] | None = None) -> int:
    return len(wire.get(FIND.format(name), headers)["value"])


def test_a_new_column_is_seen_late_but_at_once_by_who_wants_the_newest(lagging: Wire) -> None:
    add_column(lagging, "a")
    assert (seen(lagging, "a"), seen(lagging, "a", STRONG)) == (0, 1)
    assert lagging.post("accounts", {"new_a": "x"}).status == 204
    lagging.admin("clock", {"advance_s": 29})
    assert seen(lagging, "a") == 0
    lagging.admin("clock", {"advance_s": 1})
    assert seen(lagging, "a") == 1
    add_column(lagging, "b")
    assert seen(lagging, "b") == 0


def test_csdl_lags_too(lagging: Wire) -> None:
    add_column(lagging, "a")
    assert b"new_a" not in lagging.send("GET", "$metadata").body
    assert b"new_a" in lagging.send("GET", "$metadata", headers=STRONG).body


def test_without_the_plan_everything_is_seen_at_once(lagging: Wire) -> None:
    add_column(lagging, "a")
    assert seen(lagging, "a") == 0
    lagging.admin("faults", {"rules": []})
    assert seen(lagging, "a") == 1


def test_a_lag_outlives_a_restored_snapshot(lagging: Wire) -> None:
    lagging.admin("snapshot", {"name": "s"})
    add_column(lagging, "a")
    assert seen(lagging, "a") == 0
    lagging.admin("restore", {"name": "s"})
    assert (seen(lagging, "a"), seen(lagging, "a", STRONG)) == (0, 0)
    add_column(lagging, "a")
    assert (seen(lagging, "a"), seen(lagging, "a", STRONG)) == (0, 1)
