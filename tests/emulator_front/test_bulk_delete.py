"""BulkDelete: rows go in the background, in slices, whatever happens to the process.

Sources: Microsoft Learn, "Delete data in bulk", "BulkDelete Action"; the body of the SDK's records.delete
(microsoft/PowerPlatform-DataverseClient-Python).
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from file_wire import CRM
from front_wire import Reply, Wire, running
from hypothesis import given, settings
from hypothesis import strategies as st
from test_killed_server import process

from flitstack.emulator.core import Environment
from flitstack.emulator.instance import Instance, Options


def condition(column: str, operator: str, *values: object) -> dict[str, object]:
    typed = [{"Value": value, "Type": "System.Guid" if len(str(value)) == 36 else "System.String"} for value in values]
    return {
        "@odata.type": f"{CRM}ConditionExpression",
        "AttributeName": column,
        "Operator": operator,
        "Values": typed,
    }


def query(table: str, *conditions: dict[str, object], operator: str = "And") -> dict[str, object]:
    return {
        "@odata.type": f"{CRM}QueryExpression",
        "EntityName": table,
        "ColumnSet": {"@odata.type": f"{CRM}ColumnSet", "AllColumns": False, "Columns": []},
        "Criteria": {
            "@odata.type": f"{CRM}FilterExpression",
            "FilterOperator": operator,
            "Conditions": list(conditions),
        },
    }


def bulk_delete(wire: Wire, *queries: dict[str, object], **parameters: object) -> Reply:
    body = {
        "QuerySet": list(queries),
        "JobName": "a job",
        "SendEmailNotification": False,
        "ToRecipients": [],
        "CCRecipients": [],
        "RecurrencePattern": "",
        "StartDateTime": "2020-01-01T00:00:00Z",
        **parameters,
    }
    return wire.post("BulkDelete", body)


def job(wire: Wire, reply: Reply) -> str:
    assert reply.status == 200, reply.body
    assert reply.json()["@odata.context"].endswith(f"#{CRM}BulkDeleteResponse")
    return str(reply.json()["JobId"])


def wait(wire: Wire, id_: str) -> dict[str, Any]:
    """The system job once it is completed."""
    for _ in range(1000):
        shown: dict[str, Any] = wire.get(f"asyncoperations({id_})")
        if shown["statecode"] == 3:
            return shown
        time.sleep(0.02)
    raise AssertionError(f"not completed: {shown}")


def make(wire: Wire, names: Sequence[str], **values: object) -> list[str]:
    rows = [{"@odata.type": f"{CRM}account", "name": name, **values} for name in names]
    reply = wire.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": rows})
    assert reply.status == 200, reply.body
    ids: list[str] = reply.json()["Ids"]
    return ids


def names(wire: Wire) -> set[str]:
    return {row["name"] for row in wire.get("accounts?$select=name")["value"]}


def clear(wire: Wire) -> None:
    wait(wire, job(wire, bulk_delete(wire, query("account"))))


def test_named_rows_go_with_their_children_and_the_job_can_be_read(wire: Wire) -> None:
    ids = make(wire, ["a", "b", "c"])
    wire.post("tasks", {"subject": "of a", "regardingobjectid_account_task@odata.bind": f"accounts({ids[0]})"})
    reply = bulk_delete(wire, query("account", condition("accountid", "In", *ids[:2])))
    shown = wait(wire, job(wire, reply))
    assert (shown["statuscode"], shown["operationtype"], shown["name"]) == (30, 13, "a job")
    assert shown["message"] == "2 deleted, 0 failed"
    assert shown["completedon"] >= shown["startedon"]
    (operation,) = wire.get(f"bulkdeleteoperations?$filter=_asyncoperationid_value eq {shown['asyncoperationid']}")[
        "value"
    ]
    assert (operation["name"], operation["statecode"], operation["statuscode"]) == ("a job", 3, 30)
    assert (operation["successcount"], operation["failurecount"], operation["isrecurring"]) == (2, 0, False)
    assert operation["_ownerid_value"] == operation["_createdby_value"] == shown["_ownerid_value"]
    assert wire.post("bulkdeleteoperations", {"name": "by hand"}).status == 405
    assert names(wire) == {"c"}
    assert wire.get("tasks")["value"] == []


def test_a_job_passes_through_its_states_and_requests_go_on_meanwhile(wire: Wire) -> None:
    make(wire, [f"row {n}" for n in range(3000)])
    id_ = job(wire, bulk_delete(wire, query("account")))
    seen, counts = [], []
    while not seen or seen[-1] != (3, 30):
        shown = wire.get(f"asyncoperations({id_})?$select=statecode,statuscode")
        seen.append((shown["statecode"], shown["statuscode"]))
        counts.append(len(wire.get("accounts?$select=name")["value"]))
    assert set(seen) <= {(0, 0), (2, 20), (3, 30)}
    assert (2, 20) in seen
    assert seen == sorted(seen)
    assert counts == sorted(counts, reverse=True)
    assert any(0 < count < 3000 for count in counts)
    assert counts[-1] == 0


def test_rows_made_after_the_job_began_stay(wire: Wire) -> None:
    make(wire, [f"old {n}" for n in range(1000)])
    id_ = job(wire, bulk_delete(wire, query("account")))
    while wire.get(f"asyncoperations({id_})?$select=statecode")["statecode"] == 0:
        pass
    make(wire, ["new"], overriddencreatedon="2001-01-01")
    wait(wire, id_)
    assert names(wire) == {"new"}


def test_rows_that_cannot_go_are_counted_and_the_others_go(wire: Wire) -> None:
    group = wire.post("uomschedules", {"name": "weights", "baseuomname": "kg"}).entity
    unit = wire.get(f"uoms?$filter=_uomscheduleid_value eq {group[13:-1]}&$select=uomid")["value"][0]["uomid"]
    price_list = wire.post("pricelevels", {"name": "p"}).entity
    product = wire.post(
        "products",
        {
            "name": "held",
            "productnumber": "1",
            "quantitydecimal": 2,
            "defaultuomid@odata.bind": f"uoms({unit})",
            "defaultuomscheduleid@odata.bind": group,
        },
    )
    assert product.status == 204, product.body
    free = wire.post("uomschedules", {"name": "free", "baseuomname": "m"}).entity
    own = condition("name", "In", "weights", "free")
    shown = wait(wire, job(wire, bulk_delete(wire, query("uomschedule", own), query("pricelevel"))))
    assert shown["statuscode"] == 31
    assert shown["message"].startswith("2 deleted, 1 failed; the first: uomschedule ")
    assert "0x80040227" in shown["message"]
    assert wire.send("GET", group).status == 200
    assert wire.send("GET", free).status == wire.send("GET", price_list).status == 404


def test_a_job_waits_for_its_start_and_can_be_canceled(wire: Wire) -> None:
    make(wire, ["stays"])
    id_ = job(wire, bulk_delete(wire, query("account"), StartDateTime="2150-01-01T00:00:00Z"))
    shown = wire.get(f"asyncoperations({id_})")
    assert (shown["statecode"], shown["statuscode"]) == (1, 10)
    assert shown["postponeuntil"] == "2150-01-01T00:00:00Z"
    assert wire.send("PATCH", f"asyncoperations({id_})", {"statecode": 3, "statuscode": 32}).status == 204
    wire.admin("clock", {"set": "2151-01-01T00:00:00Z"})
    time.sleep(0.3)
    assert names(wire) == {"stays"}
    assert wire.get(f"asyncoperations({id_})")["statuscode"] == 32
    later = job(wire, bulk_delete(wire, query("account"), StartDateTime="2152-01-01T00:00:00Z"))
    assert wire.get(f"asyncoperations({later})")["statecode"] == 1
    wire.admin("clock", {"set": "2153-01-01T00:00:00Z"})
    wait(wire, later)
    assert names(wire) == set()


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"RecurrencePattern": "FREQ=DAILY;"}, 501, "0x80040000"),
        ({"RecurrencePattern": None}, 400, "0x80040203"),
        ({"SendEmailNotification": True}, 501, "0x80040000"),
        ({"QuerySet": []}, 400, "0x80040203"),
        ({"JobName": None}, 400, "0x80040203"),
        ({"StartDateTime": "tomorrow"}, 400, "0x80040203"),
        ({"QuerySet": [{"@odata.type": f"{CRM}FetchExpression", "Query": "<fetch/>"}]}, 501, "0x80040000"),
        ({"QuerySet": [query("nothing")]}, 404, "0x8004024A"),
        ({"QuerySet": [query("account", condition("nmae", "Equal", "x"))]}, 400, "0x0"),
        ({"QuerySet": [query("account", condition("name", "Like", "x%"))]}, 501, "0x80040000"),
        ({"QuerySet": [query("account", operator="Xor")]}, 400, "0x80048d19"),
        ({"QuerySet": [query("account") | {"TopCount": 3}]}, 501, "0x80040000"),
        ({"QuerySet": [query("account") | {"LinkEntities": [{}]}]}, 501, "0x80040000"),
        ({"QuerySet": [query("organization")]}, 405, "0x80040800"),
    ],
)
def test_what_is_not_understood_is_refused_before_anything_goes(
    shared_wire: Wire, change: dict[str, object], status: int, code: str
) -> None:
    before = len(shared_wire.get("asyncoperations?$select=name")["value"])
    reply = bulk_delete(shared_wire, query("account"), **change)
    assert (reply.status, reply.code) == (status, code), reply.body
    assert len(shared_wire.get("asyncoperations?$select=name")["value"]) == before


WORDS = ["", "ab", "abc", "b", "B", "cab"]
OPERATORS = {
    "Equal": lambda cell, word: cell == word,
    "NotEqual": lambda cell, word: cell != word,
    "GreaterThan": lambda cell, word: cell is not None and cell > word,
    "LessEqual": lambda cell, word: cell is not None and cell <= word,
    "BeginsWith": lambda cell, word: cell is not None and cell.startswith(word),
    "DoesNotEndWith": lambda cell, word: cell is None or not cell.endswith(word),
    "In": lambda cell, word: cell == word,
    "NotIn": lambda cell, word: cell != word,
}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([None, *WORDS[1:]]), max_size=6),
    st.lists(st.tuples(st.sampled_from(sorted(OPERATORS)), st.sampled_from(WORDS[1:])), min_size=1, max_size=3),
    st.sampled_from(["And", "Or"]),
)
def test_the_rows_a_query_means_go_and_no_others(
    shared_wire: Wire, cells: list[str | None], conditions: list[tuple[str, str]], glue: str
) -> None:
    clear(shared_wire)
    if cells:
        targets = [{"@odata.type": f"{CRM}account", "name": str(n), "description": c} for n, c in enumerate(cells)]
        assert shared_wire.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": targets}).status == 200
    wanted = [condition("description", operator, word) for operator, word in conditions]
    wait(shared_wire, job(shared_wire, bulk_delete(shared_wire, query("account", *wanted, operator=glue))))

    def folded(text: str | None) -> str | None:
        return None if text is None else text.casefold()

    every = all if glue == "And" else any
    kept = {
        str(n)
        for n, cell in enumerate(cells)
        if not every(OPERATORS[operator](folded(cell), folded(word)) for operator, word in conditions)
    }
    assert names(shared_wire) == kept


def test_delete_multiple_is_refused_in_the_platform_s_words(shared_wire: Wire) -> None:
    reply = shared_wire.post("accounts/Microsoft.Dynamics.CRM.DeleteMultiple", {"Targets": []})
    assert reply.status == 501
    assert reply.json()["error"]["message"] == "DeleteMultiple has not yet been implemented."


def test_a_job_goes_on_after_a_restart(tmp_path: Path) -> None:
    with running(Options(tmp_path / "data")) as wire:
        id_ = job(wire, bulk_delete(wire, query("account"), StartDateTime="2150-01-01T00:00:00Z"))
        make(wire, ["a"])
    with running(Options(tmp_path / "data")) as wire:
        wire.admin("clock", {"set": "2151-01-01T00:00:00Z"})
        wait(wire, id_)
        assert names(wire) == set()


def test_a_killed_server_finishes_its_jobs_when_it_comes_back(tmp_path: Path) -> None:
    unused: Instance = None  # type: ignore[assignment]
    data, ready = tmp_path / "data", tmp_path / "ready"
    with process(data, ready) as (served, url):
        wire = Wire(url, unused)
        make(wire, [f"row {n}" for n in range(4000)])
        id_ = job(wire, bulk_delete(wire, query("account")))
    left = _count(data)
    with process(data, ready) as (served, url):
        wire = Wire(url, unused)
        time.sleep(0.05)
        served.kill()
    assert _count(data) <= left
    with running(Options(data)) as wire:
        shown = wait(wire, id_)
        assert shown["message"] == "4000 deleted, 0 failed"
        assert names(wire) == set()


def _count(data: Path) -> int:
    environment = Environment.open(data)
    try:
        return int(environment.connection.execute("SELECT count(*) FROM account").fetchone()[0])
    finally:
        environment.close()
