"""Decisions the published facts do not settle, made here once; the reasons are in docs/catalogue.md."""

from collections.abc import Collection

# Tables that refuse custom columns and alternate keys (CanCreateAttributes is false, or no designer offers them).
NOT_CUSTOMIZABLE = frozenset(
    {
        "activitymimeattachment",
        "activityparty",
        "activitypointer",
        "annotation",
        "asyncoperation",
        "attachment",
        "connectionroleassociation",
        "connectionroleobjecttypecode",
        "import",
        "importfile",
        "importmap",
        "incidentresolution",
        "listmember",
        "organization",
        "post",
        "processstage",
        "productassociation",
        "productsubstitute",
        "role",
        "subject",
        "usersettings",
        "workflow",
    }
)

# Bulk messages: not on tables that only exist below another row or belong to the platform itself.
NO_BULK = frozenset(
    {
        "annotation",
        "asyncoperation",
        "connectionroleobjecttypecode",
        "import",
        "importfile",
        "importmap",
        "post",
        "role",
        "subject",
        "usersettings",
        "workflow",
    }
)

# Not created by a new Sales environment; older ones, or ones with other apps, have them.
WHERE_PRESENT = frozenset({"contract"})


def messages(name: str, ownership: str, published: Collection[str]) -> list[str]:
    """The published messages (2019) plus the ones that came later: Upsert, and the bulk messages where they exist."""
    found = set(published)
    if {"Create", "Update"} <= found:
        found.add("Upsert")
        if ownership in {"UserOwned", "OrganizationOwned"} and name not in NO_BULK:
            found |= {"CreateMultiple", "UpdateMultiple", "UpsertMultiple"}
    return sorted(found)
