"""Business process flows: seeded definitions, instances by hand and by themselves, how they move and end.

Source: Microsoft Learn, "Work with business process flows using code".
"""

from collections.abc import Iterator

import pytest
from front_wire import Reply, Wire, running

from flitstack.emulator.instance import Options

SALES = {"name": "Opportunity Sales Process", "stages": ["Qualify", "Develop", "Close"], "order": 3}
OWN = {"name": "Retainer", "uniquename": "new_retainer", "stages": ["Ask", "Sign"], "order": 7}
DRAFT = {"name": "Not yet", "uniquename": "new_notyet", "stages": ["One"], "active": False, "order": 0}
NOTHING = "00000000-0000-0000-0000-000000000000"
INSTANCES = "opportunitysalesprocesses"


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with running(Options(tmp_path_factory.mktemp("processes") / "data")) as started:
        first = started.admin("seed", {"processes": [SALES, OWN, DRAFT]})
        assert first["processes"] == 3
        before = started.admin("fingerprint")
        assert started.admin("seed", {"processes": [SALES, OWN, DRAFT]}) == first
        assert started.admin("fingerprint")["hash"] == before["hash"]
        yield started


def stages(wire: Wire, process: str) -> dict[str, str]:
    found = wire.get(f"workflows?$filter=name eq '{process}'&$select=uniquename,category,statecode")["value"]
    rows = wire.get(f"processstages?$select=stagename&$filter=processid/workflowid eq {found[0]['workflowid']}")[
        "value"
    ]
    return {row["stagename"]: row["processstageid"] for row in rows}


def opportunity(wire: Wire, process: str | None = NOTHING) -> str:
    given = {} if process is None else {"processid": process}
    made = wire.post("opportunities", {"name": "deal", **given})
    assert made.status == 204, made.body
    return made.entity[14:-1]


def instances(wire: Wire, deal: str, table: str = INSTANCES, lookup: str = "opportunityid") -> list[dict[str, object]]:
    found: list[dict[str, object]] = wire.get(f"{table}?$filter=_{lookup}_value eq {deal}")["value"]
    return found


def start(wire: Wire, deal: str, *path: str, active: str = "") -> Reply:
    body = {
        "opportunityid@odata.bind": f"/opportunities({deal})",
        "activestageid@odata.bind": f"/processstages({active or path[-1]})", "traversedpath": ",".join(path),
    }  # fmt: skip
    return wire.post(INSTANCES, body)


def test_a_new_record_follows_the_first_active_process_unless_it_says_none(wire: Wire) -> None:
    found = stages(wire, "Opportunity Sales Process")
    (own,) = instances(wire, opportunity(wire, None))
    assert (own["_activestageid_value"], own["traversedpath"]) == (found["Qualify"], found["Qualify"])
    assert (own["statecode"], own["statuscode"]) == (0, 1)
    assert instances(wire, opportunity(wire, NOTHING)) == []


def test_bulk_creates_start_the_same_process(wire: Wire) -> None:
    typed = {"@odata.type": "Microsoft.Dynamics.CRM.opportunity", "name": "one of many"}
    url = "opportunities/Microsoft.Dynamics.CRM.CreateMultiple"
    given = wire.post(url, {"Targets": [typed, {**typed, "processid": NOTHING}]}).json()["Ids"]
    assert [len(instances(wire, id_)) for id_ in given] == [1, 0]
    (none,) = wire.post(url, {"Targets": [{**typed, "processid": NOTHING}]}).json()["Ids"]
    assert instances(wire, none) == []


def test_a_record_may_name_its_process_and_the_table_of_instances_is_called_after_it(wire: Wire) -> None:
    (process,) = wire.get("workflows?$filter=name eq 'Retainer'&$select=uniquename")["value"]
    deal = opportunity(wire, process["workflowid"])
    (own,) = instances(wire, deal, f"{process['uniquename']}s", "bpf_opportunityid")
    assert own["_activestageid_value"] == stages(wire, "Retainer")["Ask"]
    assert instances(wire, deal) == []
    definition = wire.get("EntityDefinitions(LogicalName='new_retainer')?$select=IsBPFEntity,PrimaryIdAttribute")
    assert (definition["IsBPFEntity"], definition["PrimaryIdAttribute"]) == (True, "businessprocessflowinstanceid")
    assert wire.send("GET", "EntityDefinitions(LogicalName='new_notyet')").status == 404, "a draft has no table"


def test_an_instance_begins_where_its_path_ends_and_a_record_has_one(wire: Wire) -> None:
    found, deal = stages(wire, "Opportunity Sales Process"), opportunity(wire)
    assert b"does not match last Stage ID" in start(wire, deal, found["Qualify"], active=found["Develop"]).body
    assert b"does not follow" in start(wire, deal, found["Develop"]).body
    assert b"is not in the process" in start(wire, deal, stages(wire, "Retainer")["Ask"]).body
    assert start(wire, deal, found["Qualify"], found["Develop"]).status == 204
    (own,) = instances(wire, deal)
    assert own["_activestageid_value"] == found["Develop"]
    again = start(wire, deal, found["Qualify"])
    assert (again.status, again.code) == (412, "0x80040237")


def test_it_moves_by_one_stage_and_is_finished_at_the_last_one(wire: Wire) -> None:
    found, deal = stages(wire, "Opportunity Sales Process"), opportunity(wire)
    row = start(wire, deal, found["Qualify"]).entity

    def move(*path: str) -> Reply:
        stage = f"/processstages({path[-1]})"
        return wire.send("PATCH", row, {"activestageid@odata.bind": stage, "traversedpath": ",".join(path)})

    whole = [found[name] for name in ("Qualify", "Develop", "Close")]
    skipped = move(*whole)
    assert b"Transition to stage Close is not in the process active path" in skipped.body
    finish = {"statecode": 1, "statuscode": 2}
    assert b"last stage only" in wire.send("PATCH", row, finish).body
    assert move(found["Qualify"], found["Develop"]).status == 204
    assert move(*whole).status == 204
    assert wire.send("PATCH", row, finish).status == 204
    assert wire.send("PATCH", row, {"statecode": 1, "statuscode": 3}).status == 204, "aborted at any stage"
    assert wire.send("PATCH", row, {"statecode": 0, "statuscode": 1}).status == 204, "and taken up again"
    assert move(found["Qualify"], found["Develop"]).status == 204


def test_an_instance_goes_with_its_record(wire: Wire) -> None:
    deal = opportunity(wire, None)
    assert len(instances(wire, deal)) == 1
    assert wire.send("DELETE", f"opportunities({deal})").status == 204
    assert instances(wire, deal) == []
