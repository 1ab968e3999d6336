"""FHIR R4: bundles and NDJSON become records by the pack's paths; references are resolved however they are written."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from staging.export_case import Export, object_of_fields, pack_of

from flitstack.errors import UsageError
from flitstack.packs.read import load_pack
from flitstack.packs.types import FhirObject, Field
from flitstack.staging.fhir.paths import Directory, PathError, compile_path

NPI = "http://hl7.org/fhir/sid/us-npi"
PATIENT = FhirObject(
    "Patient",
    "Patient",
    {
        "id": "getResourceKey()",
        "name": "name.where(use = 'official').given.join(' ') | name[0].text",
        "doctor": "generalPractitioner.getReferenceKey(Practitioner)",
        "codes": "maritalStatus.coding.code",
    },
)
DOCTOR = FhirObject("Doctor", "Practitioner", {"id": "getResourceKey()", "role": "roles.code.text"})
PACK = replace(
    pack_of(
        object_of_fields(
            "Patient", ["patients*"], *map(Field, ("id", "name", "doctor")), Field("codes", type="list"), key="id"
        ),
        object_of_fields("Doctor", ["doctors*"], *map(Field, ("id", "role")), key="id"),
    ),
    fhir=(PATIENT, DOCTOR),
)
DOCTORS: list[dict[str, Any]] = [
    {"resourceType": "Practitioner", "id": "d1", "identifier": [{"system": NPI, "value": "77"}]},
    {
        "resourceType": "PractitionerRole",
        "practitioner": {"identifier": {"system": NPI, "value": "77"}},
        "code": [{"text": "Nurse"}],
    },
]


def patient(id_: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id_, **more}


def bundle_of(*resources: object) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": one} for one in resources]}


def bundle(*resources: object) -> str:
    return json.dumps(bundle_of(*resources))


def lines(*resources: object) -> str:
    return "".join(json.dumps(one) + "\n" for one in resources)


@pytest.fixture
def clinic(export: Export) -> Export:
    export.pack = PACK
    return export


@pytest.mark.parametrize("form", [bundle, lines])
def test_a_bundle_and_ndjson_give_the_same_records(clinic: Export, form: Any) -> None:
    one = patient("p1", name=[{"text": "x", "use": "usual"}, {"use": "official", "given": ["Jo", "Li"]}])
    two = patient("p2", name=[{"text": "Bo"}], maritalStatus={"coding": [{"code": "M"}, {"code": "W"}]})
    staged = clinic.write("export.ndjson" if form is lines else "export.json", form(one, two)).staged()
    assert [(row["id"], row["name"], row["codes"]) for row in staged.records("Patient")] == [
        ("p1", "Jo Li", None),
        ("p2", "Bo", "M; W"),
    ]
    assert staged.file(staged.document.files[0].path).format == "fhir"


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "Practitioner/d1"},
        {"reference": "https://ehr.example/fhir/Practitioner/d1"},
        {"reference": "Practitioner/d1/_history/2"},
        {"reference": "urn:uuid:d1"},
        {"reference": f"Practitioner?identifier={NPI}|77"},
        {"identifier": {"system": NPI, "value": "77"}},
        {"identifier": {"system": NPI, "value": "77"}, "type": "Practitioner"},
    ],
)
def test_a_reference_is_resolved_across_files_however_it_is_written(clinic: Export, reference: dict[str, Any]) -> None:
    clinic.write("a.json", bundle(patient("p1", generalPractitioner=[{"reference": "Organization/o1"}, reference])))
    staged = clinic.write("b.ndjson", lines(*DOCTORS)).staged()
    assert staged.column("doctor", "Patient") == ["d1"]
    assert staged.column("role", "Doctor") == ["Nurse"]


def test_a_reference_to_nobody_stays_as_it_is_written(clinic: Export) -> None:
    unknown = {"reference": f"Practitioner?identifier={NPI}|99"}
    staged = clinic.write("a.json", bundle(patient("p1", generalPractitioner=[unknown]))).staged()
    assert staged.column("doctor", "Patient") == [unknown["reference"]]


def test_what_no_field_is_read_from_is_listed(clinic: Export) -> None:
    observation = {"resourceType": "Observation", "id": "o"}
    staged = clinic.write("a.json", bundle(patient("p1", birthDate="2000-01-01"), observation, observation)).staged()
    said = [finding["what"] for finding in staged.findings("fhir_unread")]
    assert said == [
        "elements of Patient that no field is read from: birthDate (1)",
        "resources that no object is made of: Observation (2)",
    ]


def test_a_broken_line_is_held_with_its_number_and_the_others_are_read(clinic: Export) -> None:
    text = lines(patient("p1")) + '{"resourceType": "Patient", \n' + lines(patient("p2"))
    staged = clinic.write("a.ndjson", text).staged()
    assert staged.column("id", "Patient") == ["p1", "p2"]
    assert [(line, raw) for line, _, raw in staged.rejects()] == [(2, '{"resourceType": "Patient", ')]


def test_the_packs_own_paths_are_all_read(clinic: Export) -> None:
    pack = load_pack("clinic")
    assert {how.object for how in pack.fhir} <= pack.objects.keys()
    for how in pack.fhir:
        assert all(compile_path(path).roots for path in how.fields.values())


@pytest.mark.parametrize(
    "path", ["", "name.", "name[x]", "name.where(use)", "name.upper()", "a b", "a |", "a.where(b = 'c'"]
)
def test_a_wrong_path_is_refused_where_it_stands(clinic: Export, path: str) -> None:
    with pytest.raises(PathError):
        compile_path(path)
    clinic.pack = replace(PACK, fhir=(replace(PATIENT, fields={"id": path}),))
    with pytest.raises(UsageError) as refused:
        clinic.write("a.json", bundle(patient("p1"))).staged()
    assert [problem.where for problem in refused.value.problems] == ["fhir.yaml: Patient"]


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from("abc"), VALUES), st.sampled_from(["a.b", "a[0]", "a.where(b = 'x').c", "a | b.c"])
)
def test_a_path_meets_any_resource_without_fault(resource: dict[str, Any], path: str) -> None:
    found = compile_path(path).find(resource, Directory())
    assert None not in found


@pytest.mark.parametrize("identifier", [{"system": NPI, "value": "77"}, ["77", {"system": NPI, "value": "77"}]])
def test_an_identifier_that_is_no_list_of_identifiers_ends_nothing(clinic: Export, identifier: Any) -> None:
    doctors = [{**DOCTORS[0], "identifier": identifier}, DOCTORS[1]]
    staged = clinic.write("a.ndjson", lines(*doctors)).staged()
    assert staged.column("role", "Doctor") == ["Nurse"]


def test_a_bundle_whose_only_entry_stands_without_a_list_is_read(clinic: Export) -> None:
    clinic.write("a.json", json.dumps({"resourceType": "Bundle", "entry": {"resource": patient("p1")}}))
    staged = clinic.write("b.json", json.dumps({"resourceType": "Bundle", "entry": 5})).staged()
    assert staged.column("id", "Patient") == ["p1"]
    assert [found["file"] for found in staged.findings("not_fhir")] == ["b.json"]


@pytest.mark.parametrize("name", ["a.ndjson", "a.json"])
def test_a_broken_first_line_costs_itself_only(clinic: Export, name: str) -> None:
    staged = clinic.write(name, '{"resourceType": "Patient", "id":\n' + lines(patient("p1"), patient("p2"))).staged()
    assert staged.column("id", "Patient") == ["p1", "p2"]
    assert [line for line, _, _ in staged.rejects()] == [1]


def test_a_first_line_that_is_no_resource_does_not_make_the_others_none(clinic: Export) -> None:
    staged = clinic.write("a.ndjson", "exported 2025\n" + lines(patient("p1"), bundle_of(patient("p2")))).staged()
    assert staged.column("id", "Patient") == ["p1", "p2"]
    assert [(line, raw) for line, _, raw in staged.rejects()] == [(1, "exported 2025")]


def test_a_broken_entry_of_a_bundle_costs_itself_only(clinic: Export) -> None:
    broken = bundle(patient("p1"), patient("p2"), patient("p3")).replace('"p2"', '"\\ud800"')
    staged = clinic.write("a.json", broken).staged()
    assert staged.column("id", "Patient") == ["p1", "p3"]
    assert [record for _, record, _ in staged.rejects()] == ["2"]
