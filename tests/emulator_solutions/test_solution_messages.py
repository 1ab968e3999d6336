"""Publishers, solutions, their components, and the messages about them."""

import base64
from pathlib import Path

import pytest
from solution_driver import Maker, column, documents, label, lookup, options

from flitstack.emulator.metadata.router import MetadataOptions


def publisher(**more: object) -> dict[str, object]:
    body = {
        "uniquename": "p",
        "friendlyname": "P",
        "customizationprefix": "abc",
        "customizationoptionvalueprefix": 12345,
    }
    return body | more


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"customizationprefix": "a"}, "0x80040203"),
        ({"customizationprefix": "mscrmx"}, "0x80040203"),
        ({"customizationprefix": "1ab"}, "0x80040203"),
        ({"customizationprefix": "ab_c"}, "0x80040203"),
        ({"uniquename": "with blank"}, "0x8004F01C"),
        ({"customizationoptionvalueprefix": 9_999}, "0x8004432F"),
    ],
)
def test_a_publisher_has_a_proper_name_and_prefix(maker: Maker, more: dict[str, object], code: str) -> None:
    assert maker.refusal(maker.post("publishers", publisher(**more))) == (400, code)
    maker.make("publishers", publisher())
    assert maker.refusal(maker.post("publishers", publisher())) == (400, "0x80040237")


@pytest.mark.parametrize(
    ("more", "code"),
    [({"uniquename": "a-b"}, "0x8004F002"), ({"version": "1"}, "0x8004F01E"), ({"version": "1.0.0.0.0"}, "0x8004F01E")],
)
def test_a_solution_has_a_proper_name_and_version(maker: Maker, more: dict[str, object], code: str) -> None:
    maker.solution()
    made = maker.get("publishers")["value"][0]["publisherid"]
    body = {
        "uniquename": "other",
        "friendlyname": "O",
        "version": "1.0",
        "publisherid@odata.bind": f"/publishers({made})",
    }
    assert maker.refusal(maker.post("solutions", body | more)) == (400, code)
    assert maker.refusal(maker.post("solutions", body | {"uniquename": "SAMPLE"})) == (400, "0x8004F023")


def test_a_publisher_with_solutions_stays(maker: Maker) -> None:
    maker.solution()
    id_ = maker.get("publishers")["value"][0]["publisherid"]
    assert maker.refusal(maker.send("DELETE", f"publishers({id_})"))[1] == "0x80040227"


def test_header_query_and_body_name_the_solution(maker: Maker) -> None:
    maker.solution(option_prefix=33333)
    maker.table("new_Thing", "sample")
    maker.make(
        "EntityDefinitions(LogicalName='account')/Attributes?SolutionUniqueName=Sample", column("BigInt", "new_Big")
    )
    pick = column("Picklist", "new_Pick", OptionSet={"IsGlobal": False, "Options": [{"Label": label("A")}]})
    maker.make("EntityDefinitions(LogicalName='new_thing')/Attributes", pick, "Sample")
    found = {(row["componenttype"], row["rootcomponentbehavior"]) for row in maker.get("solutioncomponents")["value"]}
    assert found == {(1, 0), (1, 2), (2, None)}
    definition = maker.definition("new_thing")
    (choice,) = [c for c in definition["Attributes"] if c["LogicalName"] == "new_pick" and "OptionSet" in c]
    assert choice["OptionSet"]["Options"][0]["Value"] == 333_330_000
    refused = maker.post("GlobalOptionSetDefinitions", {"Name": "new_x", "Options": []}, "nowhere")
    assert maker.refusal(refused) == (400, "0x80040217")


def test_a_column_of_a_standard_table_travels_alone(maker: Maker, target: Maker) -> None:
    maker.solution()
    maker.column("account", "String", "new_Code", "Sample", MaxLength=20)
    maker.column("account", "Money", "new_Fee", "Sample")
    maker.column("account", "String", "new_Hidden")
    maker.make("RelationshipDefinitions", lookup("account", "contact", "new_Sponsor"), "Sample")
    key = {"SchemaName": "new_Code", "KeyAttributes": ["new_code"], "DisplayName": label("Code")}
    maker.make("EntityDefinitions(LogicalName='account')/Keys", key, "Sample")
    data = maker.export()
    assert 'behavior="2"' in documents(data)["solution.xml"]
    assert target.load(data).status == 204
    columns = target.instance.environment.tables["account"].columns
    assert {"new_code", "new_fee", "new_fee_base", "new_sponsor"} <= columns.keys()
    assert "new_hidden" not in columns
    assert [k.columns for k in target.instance.environment.tables["account"].keys if k.name == "new_code"] == [
        ("new_code",)
    ]
    assert documents(target.export()) == documents(data)


def test_what_another_solution_holds_is_a_dependency(maker: Maker, target: Maker) -> None:
    maker.solution("Base", "new")
    maker.solution("Above", "abc")
    maker.table("new_Thing", "Base")
    maker.make("GlobalOptionSetDefinitions", {"Name": "new_colour", **options((1, "Red"))["OptionSet"]}, "Base")
    maker.table("abc_Part", "Above")
    maker.make("RelationshipDefinitions", lookup("abc_part", "new_thing", "abc_Whole"), "Above")
    bound = {"GlobalOptionSet@odata.bind": "/GlobalOptionSetDefinitions(Name='new_colour')"}
    maker.column("abc_part", "Picklist", "abc_Colour", "Above", **bound)
    answer = target.load(maker.export("Above"))
    assert target.refusal(answer) == (400, "0x8004801D")
    assert b"new_thing" in (answer.body or b"")
    assert b"new_colour" in (answer.body or b"")
    assert target.load(maker.export("Base")).status == 204
    assert target.load(maker.export("Above")).status == 204


def test_components_are_added_and_removed(maker: Maker) -> None:
    maker.solution()
    maker.table("new_Thing")
    id_ = maker.get("EntityDefinitions(LogicalName='new_thing')")["MetadataId"]
    body = {"ComponentId": id_, "ComponentType": 1, "SolutionUniqueName": "Sample", "AddRequiredComponents": False}
    added = maker.make("AddSolutionComponent", body)["id"]
    (row,) = maker.get(f"solutioncomponents?$filter=componenttype eq 1 and objectid eq {id_}")["value"]
    assert row["solutioncomponentid"] == added
    assert maker.get(f"solutioncomponents({added})?$select=objectid")["objectid"] == id_
    assert "new_Thing" in documents(maker.export())["customizations.xml"]
    gone = {"SolutionComponent": {"solutioncomponentid": id_}, "ComponentType": 1, "SolutionUniqueName": "Sample"}
    assert maker.make("RemoveSolutionComponent", gone)["id"] == added
    assert "new_Thing" not in documents(maker.export())["customizations.xml"]
    assert maker.refusal(maker.post("RemoveSolutionComponent", gone)) == (400, "0x8004F021")
    assert maker.post("AddSolutionComponent", body | {"ComponentType": 61}).status == 501


def test_deleting_an_unmanaged_solution_keeps_its_definitions(maker: Maker) -> None:
    maker.solution()
    maker.table("new_Thing", "Sample")
    id_ = maker.get("solutions?$select=solutionid")["value"][0]["solutionid"]
    assert maker.send("DELETE", f"solutions({id_})").status == 204
    assert maker.get("solutions")["value"] == []
    assert maker.get("solutioncomponents")["value"] == []
    assert "new_thing" in maker.instance.environment.tables


def test_deleting_a_managed_solution_takes_its_definitions_and_rows(maker: Maker, target: Maker) -> None:
    maker.solution()
    maker.make("GlobalOptionSetDefinitions", {"Name": "new_colour", **options((1, "Red"))["OptionSet"]}, "Sample")
    maker.table("new_Thing", "Sample")
    maker.column("account", "String", "new_Code", "Sample")
    maker.make("RelationshipDefinitions", lookup("account", "new_thing", "new_Best"), "Sample")
    target.column("account", "String", "new_Own")
    assert target.load(maker.export(Managed=True)).status == 204
    target.make("new_things", {"new_name": "x"})
    (solution,) = target.get("solutions")["value"]
    assert solution["ismanaged"] is True
    changed = target.send("PATCH", f"solutions({solution['solutionid']})", {"friendlyname": "y"})
    assert target.refusal(changed) == (400, "0x8004F024")
    assert target.send("DELETE", f"solutions({solution['solutionid']})").status == 204
    environment = target.instance.environment
    assert "new_thing" not in environment.tables
    assert {name for name in environment.tables["account"].columns if name.startswith("new_")} == {"new_own"}
    assert target.send("GET", "GlobalOptionSetDefinitions(Name='new_colour')").status == 404


def test_a_managed_solution_that_others_stand_on_stays(maker: Maker, target: Maker) -> None:
    maker.solution()
    maker.table("new_Thing", "Sample")
    assert target.load(maker.export(Managed=True)).status == 204
    target.make("RelationshipDefinitions", lookup("account", "new_thing", "new_Own"))
    id_ = target.get("solutions")["value"][0]["solutionid"]
    assert target.refusal(target.send("DELETE", f"solutions({id_})")) == (400, "0x8004F01D")
    assert "new_thing" in target.instance.environment.tables
    assert target.get("solutioncomponents")["value"] != []


def test_asynchronous_import_and_export_leave_jobs(maker: Maker, target: Maker) -> None:
    maker.solution()
    maker.table("new_Thing", "Sample")
    exported = maker.make("ExportSolutionAsync", {"SolutionName": "Sample", "Managed": False})
    operation = maker.get(f"asyncoperations({exported['AsyncOperationId']})?$select=statecode,statuscode")
    assert (operation["statecode"], operation["statuscode"]) == (3, 30)
    file = maker.make("DownloadSolutionExportData", {"ExportJobId": exported["ExportJobId"]})["ExportSolutionFile"]
    assert base64.b64decode(file) == maker.export()
    staged = target.make("StageSolution", {"CustomizationFile": file})["StageSolutionResults"]
    assert (staged["StageSolutionStatus"], staged["SolutionDetails"]["SolutionUniqueName"]) == ("Passed", "Sample")
    assert "new_thing" not in target.instance.environment.tables
    job = target.make("ImportSolutionAsync", {
        "SolutionParameters": {"StageSolutionUploadId": staged["StageSolutionUploadId"]},
        "OverwriteUnmanagedCustomizations": True, "PublishWorkflows": False,
    })  # fmt: skip
    assert target.get(f"asyncoperations({job['AsyncOperationId']})")["statuscode"] == 30
    assert target.get(f"importjobs({job['ImportJobKey']})?$select=progress")["progress"] == 100.0
    assert "new_thing" in target.instance.environment.tables


def test_a_failed_asynchronous_import_says_why(target: Maker) -> None:
    nothing = base64.b64encode(b"nothing").decode()
    job = target.make("ImportSolutionAsync", {"CustomizationFile": nothing})
    operation = target.get(f"asyncoperations({job['AsyncOperationId']})")
    assert (operation["statuscode"], operation["errorcode"] & 0xFFFFFFFF) == (31, 0x80048060)
    assert target.get(f"importjobs({job['ImportJobKey']})")["progress"] == 0.0
    staged = target.make("StageSolution", {"CustomizationFile": nothing})["StageSolutionResults"]
    assert staged["StageSolutionStatus"] == "Failed"
    assert staged["SolutionValidationResults"][0]["ErrorCode"] == "0x80048060"


@pytest.mark.parametrize("name", ["CloneAsPatch", "CloneAsSolution", "DeleteAndPromote", "StageAndUpgrade"])
def test_patches_and_upgrades_are_refused_by_name(maker: Maker, name: str) -> None:
    answer = maker.post(name, {})
    assert answer.status == 501
    assert name.encode() in (answer.body or b"")


def test_a_professional_licence_has_room_for_so_many_tables(maker: Maker, tmp_path: Path) -> None:
    maker.solution()
    for name in ("new_One", "new_Two", "new_Three"):
        maker.table(name, "Sample")
    small = Maker.open(tmp_path / "small", MetadataOptions(max_custom_tables=2))
    try:
        assert small.refusal(small.load(maker.export())) == (400, "0x8004B043")
        small.table("new_One")
        small.table("new_Two")
        primary = column("String", "new_Name", IsPrimaryName=True)
        assert small.refusal(small.post("EntityDefinitions", {"SchemaName": "new_Three", "Attributes": [primary]})) == (
            400,
            "0x8004B042",
        )
    finally:
        small.instance.end()
