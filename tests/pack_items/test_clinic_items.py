"""The clinic's checklist on its example: people, visits, records of care, what never moves, and its decisions' outcomes."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from pack_items.item_case import Landed, land


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    return land("clinic", tmp_path_factory.mktemp("clinic"))


def test_patients_are_contacts_known_by_their_own_id(clinic: Landed) -> None:
    rows = clinic.of("Patient.patient")
    assert rows["1001"]["emailaddress1"] == rows["1002"]["emailaddress1"], "a family shares an address and stays two"
    assert (rows["1001"]["flit_sourcepatientid"], rows["1001"]["flit_sourcemrn"]) == ("1001", "MRN1001")
    assert (rows["1003"]["lastname"], str(rows["1003"]["birthdate"])) == ("Marsh-Reed", "1990-11-02")
    assert rows["1001"]["address1_postalcode"] == "07301"
    assert [rows[key]["gendercode"] for key in ("1001", "1002", "1003")] == ["Female", "Male", None]
    assert rows["1003"]["flit_sourcesex"] == "U"


def test_original_creation_pharmacy_recall_and_provider_are_kept(clinic: Landed) -> None:
    maya = clinic.of("Patient.patient")["1001"]
    assert maya["flit_originalpatientcreatedate"].isoformat() == "2021-03-01T15:30:00+00:00", "09:30 in Chicago"
    assert (maya["flit_preferredpharmacy"], str(maya["flit_recalldate"])) == ("Corner Pharmacy", "2026-02-01")
    assert maya["flit_primaryproviderid"] == "contact D1"


def test_practitioners_are_contacts_of_their_own_with_role_npi_and_specialties(clinic: Landed) -> None:
    rows = clinic.of("Practitioner.practitioner")
    assert [rows[key]["flit_practitionerrole"] for key in ("D1", "D2", "D3")] == ["Physician", "Nurse", None]
    assert (rows["D1"]["flit_npi"], rows["D1"]["flit_specialization"]) == ("1234567893", "Cardiology, Family Medicine")
    assert rows["D1"]["flit_contacttype"] == "Practitioner"
    assert rows["D1"]["parentcustomerid"] == "account L1"
    assert clinic.records("invalid_npi") == ["D2"]


def test_locations_are_accounts_with_hours_and_hierarchy(clinic: Landed) -> None:
    rows = clinic.of("Location.location")
    assert (rows["L2"]["parentaccountid"], rows["L1"]["flit_operatinghours"]) == ("account L1", "Mon-Fri 08:00-17:00")


def test_visits_keep_status_type_duration_and_both_people(clinic: Landed) -> None:
    rows = clinic.of("Appointment.visit")
    assert {key: row["flit_appointmentstatus"] for key, row in rows.items()} == {
        "A1": "completed", "A2": "no-show", "A3": "confirmed", "A6": "cancelled",
    }  # fmt: skip
    assert (rows["A1"]["flit_patientid"], rows["A1"]["flit_practitionerid"]) == ("contact 1001", "contact D1")
    assert rows["A2"]["scheduledstart"].isoformat() == "2025-03-09T07:30:00+00:00"
    assert (rows["A3"]["flit_practitionerid"], clinic.records("unresolved_lookup")) == (None, ["A3"])
    assert clinic.records("unknown_choice", "held") == ["A5"]


def test_encounters_keep_codes_plan_and_a_readable_note(clinic: Landed) -> None:
    row = clinic.of("Encounter.encounter")["E1"]
    assert (row["flit_diagnosiscodes"], row["flit_plan"]) == ("J06.9;F41.1", "Rest for a week")
    assert row["flit_note"] == "Seen for a follow up.\nRest.", "it was RTF"
    assert clinic.of("Encounter.encounter")["E2"]["flit_note"] == "Well."
    assert clinic.records("invalid_code") == ["E2"]


def test_insurance_names_the_payer_as_agreed_and_as_it_was(clinic: Landed) -> None:
    row = clinic.of("Insurance.insurance")["I2"]
    assert (row["flit_payer"], row["flit_sourcepayer"], row["flit_memberid"]) == (
        "Blue Cross Blue Shield",
        "BCBS",
        "XYZ2",
    )
    assert (row["flit_groupnumber"], row["flit_eligibility"], str(row["flit_coverageend"])) == (
        "G1",
        "Eligible",
        "2025-12-31",
    )
    assert "I3" in clinic.records("orphan_parent", "held")


def test_controlled_substances_are_left_out_and_counted(clinic: Landed) -> None:
    row = clinic.of("Prescription.prescription")["R1"]
    assert (row["flit_dosage"], row["flit_frequency"], row["flit_prescriberid"]) == (
        "500 MG",
        "twice daily",
        "contact D1",
    )
    assert clinic.records("suppressed", "excluded") == ["R2", "R3"]


def test_payers_outside_the_agreed_names_are_kept_as_written_and_listed(clinic: Landed) -> None:
    row = clinic.of("Insurance.insurance")["I4"]
    assert (row["flit_payer"], row["flit_sourcepayer"]) == ("Sunrise Mutual", "Sunrise Mutual")
    assert clinic.records("unmatched_payer", "listed") == ["I4"], (
        "the payer of I1 is agreed, I3 is held for its patient"
    )


def test_what_the_source_says_of_an_owner_is_kept(clinic: Landed) -> None:
    patients, people = clinic.of("Patient.patient"), clinic.of("Practitioner.practitioner")
    assert [patients[key]["flit_sourceownerstatus"] for key in ("1001", "1003")] == ["Active", "Inactive"]
    assert [people[key]["flit_sourceownerstatus"] for key in ("D1", "D3")] == ["Active", "Unknown"], "D3 is no user"


def test_referrals_with_an_amount_are_opportunities_and_organisations_accounts(clinic: Landed) -> None:
    deal, row = clinic.of("Referral.referral_opportunity")["F1"], clinic.of("Referral.referral")["F2"]
    assert (deal["estimatedvalue"], deal["customerid"]) == (Decimal("1200.50"), "contact 1001")
    assert (deal["parentaccountid"], row["flit_organizationid"]) == ("account F1", "account F1"), (
        "two spellings, one account"
    )
    assert row["flit_referraldirection"] == "Outbound"


def test_documents_hang_on_the_patient_with_the_type_their_bytes_have(clinic: Landed) -> None:
    rows = clinic.of("Document.file")
    assert (rows["K1"]["mimetype"], rows["K1"]["objectid"]) == ("application/pdf", "contact 1001")
    assert rows["K2"]["filename"] == "consent?.txt", "without the drive and folder it was kept in"
    assert (clinic.records("empty_file", "held"), clinic.records("file_missing", "held")) == (["K3"], ["K4"])


def test_several_values_of_a_patient_property_become_choices(clinic: Landed) -> None:
    assert clinic.of("Patient.patient")["1001"]["flit_allergies"] == ["Latex", "Penicillin"]


def test_fields_outside_the_agreed_scope_are_in_no_file_that_staging_writes(clinic: Landed) -> None:
    names = [field.name for field in clinic.prepared.staged.tables["Patient"].fields]
    assert "mrn" in names
    assert "ssn" not in names
    kept = [path for path in clinic.prepared.folder.rglob("*") if path.is_file() and "export" not in path.parts]
    assert kept
    assert not [path for path in kept if b"900-11-1001" in path.read_bytes()]


def test_claims_never_become_rows(clinic: Landed) -> None:
    assert "Claim" in clinic.prepared.staged.tables
    assert not [route for route in clinic.document.routes if route.object == "Claim"]


# Decisions other than the example's, several at once where they do not touch each other.
OTHERS: dict[str, dict[str, object]] = {
    "tables": {
        "appointment_model": "table",
        "location_model": "table",
        "multi_select": "table",
        "referral_rule": "none",
        "controlled_substances": "details",
        "specialties": "table",
        "encounter_notes": "html",
        "status_map": {"Roomed": "confirmed"},
    },
    "tasks": {
        "appointment_model": "task",
        "multi_select": "text",
        "referral_rule": "all",
        "payer_aliases": {},
        "insurance_key": "policy",
        "role_map": {"Phlebotomist": "Technician"},
        "phi_excluded": [],
        "controlled_substances": "review",
    },
    "reviewed": {"controlled_substances": "review", "controlled_reviewed_by": "Dr Okafor, 3 March"},
}
OUTCOMES: list[tuple[str, str, Callable[[Landed], object], object]] = [
    ("tables", "appointment_model", lambda told: told.of("Appointment.visit_row")["A1"]["flit_practitionerid"], "contact D1"),
    ("tables", "location_model", lambda told: told.of("Location.site")["L2"]["flit_parentid"], "flit_cliniclocation L1"),
    ("tables", "multi_select", lambda told: "flit_allergy" in told.tables(), True),
    ("tables", "referral_rule", lambda told: sorted(told.of("Referral.referral")), ["F1", "F2"]),
    ("tables", "controlled_substances", lambda told: told.of("Prescription.prescription_without_details")["R2"]["flit_deaschedule"], "C-II"),
    ("tables", "controlled_substances", lambda told: told.of("Prescription.prescription_without_details")["R3"]["flit_name"], "Controlled substance"),
    ("tables", "controlled_substances", lambda told: "flit_dosage" in told.of("Prescription.prescription_without_details")["R2"], False),
    ("tables", "controlled_substances", lambda told: told.records("suppressed", "listed"), ["R2", "R3"]),
    ("tables", "specialties", lambda told: "flit_specialty" in told.tables(), True),
    ("tables", "specialties", lambda told: len(told.of("Practitioner.practitioner")["D1"]["_links"]), 2),
    ("tasks", "controlled_substances", lambda told: told.records("not_reviewed", "held"), ["R2", "R3"]),
    ("tasks", "controlled_substances", lambda told: sorted(told.of("Prescription.prescription")), ["R1"]),
    ("reviewed", "controlled_reviewed_by", lambda told: sorted(told.of("Prescription.prescription")), ["R1", "R2", "R3"]),
    ("reviewed", "controlled_substances", lambda told: told.of("Prescription.prescription")["R2"]["flit_dosage"], "5 MG"),
    ("tables", "encounter_notes", lambda told: told.of("Encounter.encounter")["E2"]["flit_note"], "<p>Well.</p>"),
    ("tables", "status_map", lambda told: "A5" in told.of("Appointment.visit_row"), True),
    ("tasks", "appointment_model", lambda told: sorted(told.of("Appointment.visit_task")), ["A1", "A2", "A3", "A6"]),
    ("tasks", "multi_select", lambda told: told.of("Patient.patient")["1001"]["flit_allergies"], "Latex, Penicillin"),
    ("tasks", "referral_rule", lambda told: "flit_clinicreferral" in told.tables(), False),
    ("tasks", "payer_aliases", lambda told: told.of("Insurance.insurance")["I2"]["flit_payer"], "BCBS"),
    ("tasks", "insurance_key", lambda told: sorted(told.of("Insurance.insurance")), ["I1", "I2", "I4"]),
    ("tasks", "payer_aliases", lambda told: told.records("unmatched_payer", "listed"), ["I1", "I2", "I4"]),
    ("tasks", "role_map", lambda told: told.of("Practitioner.practitioner")["D3"]["flit_practitionerrole"], "Technician"),
    ("tasks", "phi_excluded", lambda told: "ssn" in [f.name for f in told.prepared.staged.tables["Patient"].fields], True),
]  # fmt: skip


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Landed]:
    return {name: land("clinic", tmp_path_factory.mktemp(name), **decided) for name, decided in OTHERS.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("which", "decision", "seen", "wanted"), OUTCOMES)
def test_another_decision_has_another_outcome(
    others: dict[str, Landed], which: str, decision: str, seen: Callable[[Landed], object], wanted: object
) -> None:
    assert decision in OTHERS[which]
    assert seen(others[which]) == wanted
