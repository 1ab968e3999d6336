"""Files that are no solution, or not one for this environment: refused with the service's codes, nothing changed.

Codes: Microsoft Learn, "Web service error codes".
"""

import base64
import io
import zipfile

import pytest
from solution_driver import Maker, documents, label, lookup, options, repacked

LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><ImportExportXml>&b;</ImportExportXml>'
OUTSIDE = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><ImportExportXml/>'


@pytest.fixture
def zipped(maker: Maker) -> bytes:
    """A small solution: one table with a choice and a lookup to account."""
    maker.solution()
    maker.table("new_Thing", "Sample")
    maker.column("new_thing", "Picklist", "new_Pick", "Sample", **options((1, "One")))
    maker.make("RelationshipDefinitions", lookup("new_thing", "account", "new_Buyer"), "Sample")
    return maker.export()


def changed(data: bytes, file: str, before: str, after: str) -> bytes:
    """The zip with one text of one file replaced; the text must be there."""
    text = documents(data)[f"{file}.xml"]
    assert before in text, before
    return repacked(data, **{file: text.replace(before, after)})


@pytest.mark.parametrize(
    ("file", "before", "after", "code"),
    [
        ("solution", "<Version>1.0.0.0</Version>", "<Version>one</Version>", "0x8004F01E"),
        ("solution", 'SolutionPackageVersion="9.2"', 'SolutionPackageVersion="10.0"', "0x80048068"),
        ("solution", "Publisher>", "Publisher_>", "0x8004801A"),
        ("solution", "<CustomizationPrefix>new</CustomizationPrefix>", "", "0x8004801A"),
        ("solution", "<UniqueName>Sample</UniqueName>", "<UniqueName>Default</UniqueName>", "0x80048046"),
        ("solution", '<RootComponent type="1" schemaName="new_thing" behavior="0" />', "", "0x8004803A"),
        ("solution", 'type="1" schemaName="new_thing"', 'type="1" schemaName="new_other"', "0x8004803A"),
        (
            "solution",
            "</RootComponents>",
            '<RootComponent type="9" schemaName="new_x"/></RootComponents>',
            "0x8004801F",
        ),
        (
            "solution",
            "<MissingDependencies />",
            (
                '<MissingDependencies><MissingDependency><Required type="1" schemaName="new_far"/></MissingDependency>'
                "</MissingDependencies>"
            ),
            "0x8004801D",
        ),
        ("customizations", ">Account<", ">new_Missing<", "0x8004801D"),
        ("customizations", "<Type>picklist</Type>", "<Type>colour</Type>", "0x8004801A"),
        ("customizations", "ImportExportXml>", "Other>", "0x8004801A"),
        ("customizations", "</Entities>", "", "0x80048013"),
        ("customizations", 'value="1"', 'value="x"', "0x8004801A"),
        ("customizations", "PrimaryName|", "", "0x8004801A"),
        ("customizations", "<Type>lookup</Type>", "<Type>nvarchar</Type>", "0x8004801E"),
    ],
)
def test_a_fault_has_its_code(zipped: bytes, target: Maker, file: str, before: str, after: str, code: str) -> None:
    answer = target.load(changed(zipped, file, before, after))
    assert target.refusal(answer) == (400, code), answer.body
    assert "new_thing" not in target.instance.environment.tables
    assert target.get("solutions")["value"] == []


def test_a_lookup_column_that_is_none_is_refused(zipped: bytes, target: Maker) -> None:
    cut = documents(zipped)["customizations.xml"]
    start, end = cut.index("<EntityRelationships>"), cut.index("</EntityRelationships>")
    answer = target.load(repacked(zipped, customizations=cut[:start] + "<EntityRelationships>" + cut[end:]))
    assert target.refusal(answer) == (400, "0x8004801A")


def test_a_choice_that_is_nowhere_is_named(zipped: bytes, target: Maker) -> None:
    text = documents(zipped)["customizations.xml"]
    start = text.index("<optionset Name", text.index("<Type>picklist</Type>"))
    end = text.index("</optionset>", start) + len("</optionset>")
    answer = target.load(
        repacked(zipped, customizations=f"{text[:start]}<OptionSetName>new_far</OptionSetName>{text[end:]}")
    )
    assert target.refusal(answer) == (400, "0x80048039")
    assert b"new_far" in (answer.body or b"")


@pytest.mark.parametrize("hostile", [LAUGHS, OUTSIDE, "<a>" * 200 + "</a>" * 200, "<a/><b/>", "", "\x00"])
def test_hostile_xml_is_not_read(zipped: bytes, target: Maker, hostile: str) -> None:
    for file in ("solution", "customizations"):
        answer = target.load(repacked(zipped, **{file: hostile}))
        assert target.refusal(answer) == (400, "0x80048013"), answer.body


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04 cut off"])
def test_what_is_no_zip_is_refused(target: Maker, data: bytes) -> None:
    assert target.refusal(target.load(data)) == (400, "0x80048060")


def test_a_zip_without_its_documents_is_refused(zipped: bytes, target: Maker) -> None:
    for file in ("solution", "customizations"):
        assert target.refusal(target.load(repacked(zipped, **{file: None}))) == (400, "0x80048060")


def test_a_bomb_is_not_unpacked(zipped: bytes, target: Maker) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in documents(zipped).items():
            archive.writestr(name, b" " * 140_000_000 if name == "customizations.xml" else text)
    assert len(packed.getvalue()) < 1_000_000
    assert target.refusal(target.load(packed.getvalue())) == (400, "0x80040375")


def test_components_of_other_kinds_are_refused_by_name(zipped: bytes, target: Maker) -> None:
    answer = target.load(changed(zipped, "customizations", "<Workflows />", "<Workflows><Workflow/></Workflows>"))
    assert target.refusal(answer)[0] == 501
    assert b"Workflows" in (answer.body or b"")


def test_a_managed_solution_does_not_become_an_unmanaged_one(zipped: bytes, target: Maker) -> None:
    managed = changed(zipped, "solution", "<Managed>0</Managed>", "<Managed>1</Managed>")
    assert target.load(managed).status == 204
    assert target.refusal(target.load(zipped)) == (400, "0x80048041")
    answer = target.post("ExportSolution", {"SolutionName": "Sample", "Managed": True})
    assert target.refusal(answer) == (400, "0x80048036")


def test_an_unmanaged_solution_does_not_become_a_managed_one(maker: Maker, zipped: bytes) -> None:
    managed = changed(zipped, "solution", "<Managed>0</Managed>", "<Managed>1</Managed>")
    assert maker.refusal(maker.load(managed)) == (400, "0x80048040")


def test_a_failed_import_leaves_its_job_and_nothing_else(zipped: bytes, target: Maker) -> None:
    """The type of a column that is there cannot change; the rest of the solution is taken back."""
    target.solution("Other")
    target.table("new_Thing")
    target.column("new_thing", "Memo", "new_Pick")
    before = target.definition("new_thing")
    job = "11111111-2222-3333-4444-555555555555"
    answer = target.load(zipped, ImportJobId=job)
    assert target.refusal(answer) == (400, "0x8004801E")
    assert target.definition("new_thing") == before
    found = target.get(f"importjobs({job})")
    assert (found["progress"], found["solutionname"]) == (0.0, "Sample")
    assert 'errorcode="0x8004801E"' in found["data"]


def test_a_length_does_not_shrink_by_import(maker: Maker, zipped: bytes) -> None:
    answer = maker.load(changed(zipped, "customizations", "<MaxLength>200</MaxLength>", "<MaxLength>20</MaxLength>"))
    assert maker.refusal(answer) == (400, "0x8004801E")


def test_text_that_is_no_base64_is_refused(target: Maker) -> None:
    answer = target.post("ImportSolution", {"CustomizationFile": "?"})
    assert target.refusal(answer) == (400, "0x80048d19")


def test_an_import_overwrites_labels_and_adds_options(maker: Maker, zipped: bytes, target: Maker) -> None:
    assert target.load(zipped).status == 204
    maker.make("InsertOptionValue", {
        "EntityLogicalName": "new_thing", "AttributeLogicalName": "new_pick", "Value": 2, "Label": label("Two"),
    })  # fmt: skip
    column = {"DisplayName": label("Choose", de="Wähle"), "MaxLength": 300}
    assert (
        maker.send(
            "PUT", "EntityDefinitions(LogicalName='new_thing')/Attributes(LogicalName='new_pick')", column
        ).status
        == 204
    )
    target.make("InsertOptionValue", {
        "EntityLogicalName": "new_thing", "AttributeLogicalName": "new_pick", "Value": 9, "Label": label("Own"),
    })  # fmt: skip
    assert target.load(maker.export()).status == 204
    (column,) = [
        c for c in target.definition("new_thing")["Attributes"] if c["LogicalName"] == "new_pick" and "OptionSet" in c
    ]
    assert [option["Value"] for option in column["OptionSet"]["Options"]] == [1, 2, 9]
    assert {text["LanguageCode"]: text["Label"] for text in column["DisplayName"]["LocalizedLabels"]} == {
        1033: "Choose", 1031: "Wähle",
    }  # fmt: skip


def test_base64_of_an_export_is_a_zip(maker: Maker, zipped: bytes) -> None:
    answer = maker.make("ExportSolution", {"SolutionName": "sample", "Managed": True})
    files = documents(base64.b64decode(answer["ExportSolutionFile"]))
    assert "<Managed>1</Managed>" in files["solution.xml"]
    assert files["customizations.xml"] == documents(zipped)["customizations.xml"]
