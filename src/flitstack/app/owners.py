"""Source owners, as the staged tables name them and the map makes them: how often each is named, and the findings."""

from collections.abc import Iterable, Mapping
from typing import Any

from flitstack.app.project import Project
from flitstack.app.store import mapped_folder, staged_folder
from flitstack.documents import load_json, read_yaml, save_json
from flitstack.errors import Problem, UsageError
from flitstack.mapping.document import MappingDocument
from flitstack.planning.owners import OwnerCount, OwnerMap
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet
from flitstack.staging.engine.findings import FindingsWriter

OWNER = "record.owner"
USER_EMAIL = "user.email"


def decided_owners(project: Project) -> dict[str, Mapping[str, Any]]:
    """What owners.yaml says of each owner; an entry whose `to` was changed by hand since the last plan has a `by`.

    Raises UsageError for a fallback changed there: it is a decision, and would be lost with the next plan.
    """
    path = project.folder / "owners.yaml"
    if not path.exists():
        return {}
    document, lines = read_yaml(path)
    written = _written(project)
    if document.get("fallback", "") != written.get("fallback", document.get("fallback", "")):
        raise UsageError(
            Problem(
                "owner-fallback",
                f"the fallback {document['fallback']!r} was written into owners.yaml",
                where=f"owners.yaml:{lines.get(('fallback',), 1)}",
                do=f"write fallback_owner: {document['fallback']} into decisions.yaml",
            )
        )
    before = written.get("owners", {})
    found = dict(document.get("owners") or {})
    for name, entry in found.items():
        if not entry.get("by") and name in before and entry.get("to") != before[name].get("to"):
            found[name] = {**entry, "by": project.operator}
    return found


def remember_owners(project: Project, document: Mapping[str, Any]) -> None:
    """Keep what the plan wrote into owners.yaml, so that changes made by hand are seen."""
    save_json(project.env_state / "owners.json", dict(document))


def _written(project: Project) -> dict[str, Any]:
    path = project.env_state / "owners.json"
    return load_json(path, dict) if path.exists() else {}


def owner_counts(engine: Engine, project: Project, staged: StagingDocument, named: str) -> list[OwnerCount]:
    """Each distinct owner over all objects, "" for records that name none. Counts records as staged, merged ones too.

    `named`: SQL of named_owners.
    """
    rows = engine.rows(f"SELECT owner, count(*) FROM ({named}) GROUP BY owner ORDER BY owner")
    addresses = _addresses(engine, project, staged)
    return [OwnerCount(str(owner), int(count), addresses.get(str(owner), "")) for owner, count in rows]


def save_owner_findings(engine: Engine, project: Project, owners: OwnerMap, named: str) -> None:
    """One finding a record whose owner is not an enabled user: owner_unmatched, owner_inactive, owner_blank."""
    findings = FindingsWriter(engine, "owners")
    told = {
        "unmatched": "the owner has no user in the environment",
        "inactive": "the owner is disabled in the environment",
        "blank": "the record names no owner",
    }
    for owner in owners.owners:
        if owner.status == "matched":
            continue
        takes = f"goes to {owner.user.email or owner.user.name}" if owner.user else "is not settled"
        do = (
            "provision the user in Entra ID, or settle the owner in owners.yaml, then: flitstack plan"
            if owner.email
            else "name an owner in the source, or change the owner of (none) in owners.yaml, then: flitstack plan"
        )
        findings.add_sql(
            f"""
            SELECT {literal("owner_" + owner.status)} AS code, object, _file AS file, _id AS record, _line AS line, field,
                   'listed' AS outcome, shape(owner) AS shape,
                   {literal(f"{told[owner.status]}; the record {takes}")} AS what, {literal(do)} AS "do"
            FROM ({named}) WHERE owner = {literal(owner.email)}
            """
        )
    findings.save(project.state / "findings" / "owners.parquet")


def _addresses(engine: Engine, project: Project, staged: StagingDocument) -> dict[str, str]:
    """E-mail address by name and by id, as the source's own list of users has them; what two users share is left out."""
    found: dict[str, set[str]] = {}
    for name, table in staged.tables.items():
        source, present = project.pack.objects[name], {field.name for field in table.fields}
        by_means = {field.means: field.name for field in source.fields.values() if field.name in present}
        if USER_EMAIL not in by_means:
            continue
        for means in {"user.name", "user.id"} & by_means.keys():
            rows = engine.rows(
                f"SELECT lower(clean({quoted(by_means[means])})) AS who, email_key({quoted(by_means[USER_EMAIL])}) AS email "
                f"FROM {read_parquet(staged_folder(project) / table.parquet)} "
                "WHERE who IS NOT NULL AND email IS NOT NULL"
            )
            for who, email in rows:
                found.setdefault(str(who), set()).add(str(email))
    return {who: emails.pop() for who, emails in found.items() if len(emails) == 1}


def named_owners(engine: Engine, project: Project, staged: StagingDocument, mapping: MappingDocument) -> str:
    """SQL: object, field, owner ("" = none), _file, _id, _line of every record of every object that has an owner field.

    With them the records to which the map gives an owner that no owner field of their object names: an expression may say
    anybody. They lie in the temporary table `owners_by_map`.
    """
    fields = " UNION ALL ".join([_NOBODY, *_owner_fields(project, staged)])
    made = [
        f"SELECT _object AS object, {literal(column.field)} AS field, coalesce({quoted(column.name + '__email')}, '') AS owner,"
        f" _file, _record AS _id, _line FROM {read_parquet(mapped_folder(project) / route.parquet)}"
        for route in mapping.routes
        for column in route.columns
        if column.kind == "owner"
    ]
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE owners_by_map AS SELECT DISTINCT m.* FROM ({' UNION ALL '.join([_NOBODY, *made])}) m"
        f" ANTI JOIN (SELECT DISTINCT object, owner FROM ({fields})) f USING (object, owner)"
    )
    return f"{fields} UNION ALL SELECT * FROM owners_by_map"


_NOBODY = "SELECT '' AS object, '' AS field, '' AS owner, '' AS _file, '' AS _id, 0::BIGINT AS _line WHERE FALSE"  # so none is empty


def _owner_fields(project: Project, staged: StagingDocument) -> Iterable[str]:
    reference = set(project.pack.playbook.get("reference") or {})
    for name, table in staged.tables.items():
        staged_names = {field.name for field in table.fields}
        for field in project.pack.objects[name].fields.values():
            is_owner = field.means == OWNER or field.name == project.pack.objects[name].owner
            if is_owner and name not in reference and field.name in staged_names:
                value = quoted(field.name)
                yield (
                    f"SELECT {literal(name)} AS object, {literal(field.name)} AS field, "
                    f"coalesce(email_key({value}), lower(clean({value})), '') AS owner, _file, _id, _line "
                    f"FROM {read_parquet(staged_folder(project) / table.parquet)}"
                )
