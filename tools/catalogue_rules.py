"""Decisions the compiled facts do not settle, made here once; the reasons are in docs/catalogue.md."""

from collections.abc import Collection

# Tables that refuse custom columns and alternate keys. Unlisted tables are taken to accept them.
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
        "listmember",
        "organization",
        "post",
        "processstage",
        "role",
        "subject",
        "usersettings",
        "workflow",
    }
)

# Tables whose current reference page lists CreateMultiple. Only salesorderdetail is inferred (its page was not at
# hand; quotedetail and invoicedetail have it). A table that is not here is loaded by batch requests, which always work.
BULK = frozenset(
    {
        "account",
        "campaign",
        "campaignresponse",
        "competitor",
        "contact",
        "contract",
        "incident",
        "invoice",
        "invoicedetail",
        "lead",
        "list",
        "opportunity",
        "opportunityproduct",
        "pricelevel",
        "product",
        "productassociation",
        "quote",
        "quotedetail",
        "salesorder",
        "salesorderdetail",
        "uomschedule",
    }
)

# Not created by a new Sales environment; older ones, or ones with other apps, have them.
WHERE_PRESENT = frozenset({"contract"})

# The tables of business process flows.
PROCESSES = frozenset({"leadtoopportunitysalesprocess", "opportunitysalesprocess"})

# Columns the facts file under an add-on app, because that app changed them, although every Sales environment has them.
STANDARD_AFTER_ALL = frozenset(
    {("invoice", "salesorderid"), ("pricelevel", "organizationid"), ("salesorder", "statuscode")},
)


def messages(name: str, published: Collection[str]) -> list[str]:
    """The published messages (2019) plus the ones that came later: Upsert, and the bulk messages where they exist."""
    found = set(published)
    if {"Create", "Update"} <= found:
        found.add("Upsert")
    if name in BULK:
        found |= {"CreateMultiple", "UpdateMultiple", "UpsertMultiple"}
    return sorted(found)
