"""Small documents from which the reports of the tests are made."""

from flitstack.deduping.document import DedupeDocument, MergedTable
from flitstack.profiling.document import FieldProfile, KeyProfile, ObjectProfile, ProfileDocument, TopValue
from flitstack.reconciling.document import Account, ColumnResult, PhaseCount, ReconcileDocument, TableResult
from flitstack.reporting.document import (
    Example,
    FindingGroup,
    Heading,
    LoadFacts,
    MigrationReport,
    ProofLine,
    QualityReport,
    RollbackProof,
)  # fmt: skip
from flitstack.staging.document import StagedField, StagedFile, StagedTable, StagingDocument

HEADING = Heading("acme & <sons>", "Klipy CRM", "2026-11-21T06:00:00Z", "production", "https://acme.example", "ana")
GROUP = FindingGroup(
    "invalid_email",
    "Contact",
    "held",
    7,
    "correct the address",
    (Example("c.csv", "p12", 13, "Email", "aaa@a", "no <b>host</b>"),),
)


def quality() -> QualityReport:
    """One object, one file of it and one stray file."""
    field = FieldProfile(
        "Email", "E-Mail", True, "email", 9, 8, 5, 24, "email", {"email": 0.9}, 1, ("aaa@a",), "", "", 0, "it means person.email",
        (TopValue("aaa@a.aaaaaaa", 2, True),),
    )  # fmt: skip
    extra = FieldProfile(
        "Score",
        "Score",
        False,
        "",
        3,
        3,
        1,
        2,
        "number",
        {"number": 1.0},
        0,
        (),
        "1",
        "99",
        0,
        "",
        (TopValue("=1+1", 2, False),),
    )
    key = KeyProfile("Email", "email_key", 8, 7)
    found = ObjectProfile("Contact", "Contacts", 10, 10, (field, extra), (key,), ("Phone",))
    fields = (StagedField("Email", "E-Mail", True, "header"), StagedField("Score", "Score", False, "unknown"))
    table = StagedTable("Contact", "Contact.parquet", 10, fields, ("Phone",))
    files = (
        StagedFile("contacts.csv", "Contact", "csv", "utf-8", "\t", 2048, "ab" * 32, 10, 0),
        StagedFile("stray.csv", "", "csv", "utf-8", ",", 10, "cd" * 32, 1, 0),
    )
    staging = StagingDocument("klipy", "/export", "ef" * 32, "2026-11-21T05:00:00Z", {"Contact": table}, files)
    merged = MergedTable("Contact", "Contact.parquet", 8, 1, 1, 1, 0)
    dedupe = DedupeDocument("ef" * 32, "12" * 32, {"Contact": merged}, "survivors.parquet", "sources.parquet", "")
    return QualityReport(HEADING, staging, ProfileDocument("ef" * 32, "", {"Contact": found}), (GROUP,), dedupe)


def migration(
    account: Account | None = None, differences: int = 0, rollback: RollbackProof | None = None
) -> MigrationReport:
    """One object that became one table."""
    table = TableResult(
        "contact", "contacts", ("Contact",), 8, 8, 0, 0, 0, (ColumnResult("emailaddress1", "Email", 8, differences),)
    )
    found = ReconcileDocument(
        "ab" * 32, "production", 8, 8, differences, (table,), {"Contact": account or Account(10, 8, 0, 1, 0, 0, 0, 1)},
        (PhaseCount("contacts", 8, 8, 0, 0),), {"x_notedetail": 2}, "2026-11-21T06:10:00Z",
    )  # fmt: skip
    load = LoadFacts("2026-11-21T06:05:00Z", 83.4, 41, 8)
    return MigrationReport(HEADING, found, (GROUP,), (), load, rollback, {"Contact": "Contacts"}, {"date_order": "DMY"})


def proof(changed: int = 0) -> RollbackProof:
    """A rollback that put everything back, but for so many rows."""
    return RollbackProof("2026-11-21T07:00:00Z", 8, 0, 0, not changed, (ProofLine("contact", 3, 0, changed),))
