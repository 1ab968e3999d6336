"""Errors of sales, files, definitions, queries and solutions."""

from uuid import uuid4

from error_cases import ABSENT, ACCOUNT, CRM, LABEL, TEXT, error, id_of, make, plain
from front_wire import Reply, Wire

# Sales


def opportunity(wire: Wire) -> str:
    return make(wire, "opportunities", name="O")


def win(wire: Wire, url: str) -> Reply:
    return wire.post("WinOpportunity", {"Status": 3, "OpportunityClose": {"opportunityid@odata.bind": f"/{url}"}})


@error("0x80040515", 400)
def opportunity_closed_twice(wire: Wire) -> Reply:
    url = opportunity(wire)
    assert win(wire, url).status == 204
    return win(wire, url)


@error("0x80040516", 400)
def opportunity_with_a_draft_quote(wire: Wire) -> Reply:
    url = opportunity(wire)
    account = make(wire, "accounts", name="A")
    quote(wire, opportunityid__bind=f"/{url}", customerid_account__bind=f"/{account}")
    return win(wire, url)


@error("0x80100005", 400)
def opportunity_won_by_patch(wire: Wire) -> Reply:
    return wire.send("PATCH", opportunity(wire), {"statecode": 1, "statuscode": 3})


def quote(wire: Wire, **values: object) -> str:
    return make(wire, "quotes", name="Q", **values)


@error("0x80040500", 400)
def closing_without_an_opportunity(wire: Wire) -> Reply:
    return wire.post("WinOpportunity", {"Status": 3, "OpportunityClose": {"subject": "S"}})


@error("0x80040519", 400)
def lead_closed_twice(wire: Wire) -> Reply:
    lead = make(wire, "leads", subject="L", lastname="L")
    wire.send("PATCH", lead, {"statecode": 2, "statuscode": 4})
    return wire.send("PATCH", lead, {"statecode": 1, "statuscode": 3})


def invoice(wire: Wire, state: int, status: int) -> str:
    url = make(wire, "invoices", name="I")
    assert wire.send("PATCH", url, {"statecode": state, "statuscode": status}).status == 204
    return url


@error("0x80100000", 400)
def canceled_invoice_paid(wire: Wire) -> Reply:
    return wire.send("PATCH", invoice(wire, 3, 100003), {"statecode": 2, "statuscode": 100001})


@error("0x80100001", 400)
def paid_invoice_canceled(wire: Wire) -> Reply:
    return wire.send("PATCH", invoice(wire, 2, 100001), {"statecode": 3, "statuscode": 100003})


@error("0x80100003", 400)
def closed_quote_activated(wire: Wire) -> Reply:
    url = closed_quote(wire)
    return wire.send("PATCH", url, {"statecode": 1, "statuscode": 2})


@error("0x80048D00", 400)
def quote_revised_twice(wire: Wire) -> Reply:
    body = {"QuoteId": id_of(closed_quote(wire)), "ColumnSet": {"AllColumns": True}}
    wire.post("ReviseQuote", body)
    return wire.post("ReviseQuote", body)


def closed_quote(wire: Wire) -> str:
    url = quote(wire)
    assert wire.send("PATCH", url, {"statecode": 1, "statuscode": 3}).status == 204
    closing = {"Status": 5, "QuoteClose": {"subject": "S", "quoteid@odata.bind": f"/{url}"}}
    reply = wire.post("CloseQuote", closing)
    assert reply.status == 204, reply.body
    return url


@error("0x80043AFA", 400)
def written_in_line_with_a_unit(wire: Wire) -> Reply:
    schedule = make(wire, "uomschedules", name=str(uuid4()), baseuomname="piece")
    unit = make(wire, "uoms", name="dozen", quantity=12, uomscheduleid__bind=f"/{schedule}")
    line = {"productdescription": "P", "isproductoverridden": True, "quantity": 1, "uomid@odata.bind": f"/{unit}"}
    return wire.post("opportunityproducts", {**line, "opportunityid@odata.bind": f"/{opportunity(wire)}"})


@error("0x80043B1D", 400)
def order_locked_twice(wire: Wire) -> Reply:
    body = {"SalesOrderId": id_of(make(wire, "salesorders", name="S"))}
    wire.post("LockSalesOrderPricing", body)
    return wire.post("LockSalesOrderPricing", body)


@error("0x80043B1E", 400)
def order_unlocked_twice(wire: Wire) -> Reply:
    body = {"SalesOrderId": id_of(make(wire, "salesorders", name="S"))}
    wire.post("UnlockSalesOrderPricing", body)
    return wire.post("UnlockSalesOrderPricing", body)


@error("0x80043504", 400)
def a_party_of_the_wrong_kind(wire: Wire) -> Reply:
    account = make(wire, "accounts", name="A")
    party = {"partyid_account@odata.bind": f"/{account}", "participationtypemask": 10}
    return wire.post("phonecalls", {"subject": "S", "phonecall_activity_parties": [party]})


plain("0x80040239", 400, "POST", "tasks", {"subject": "S", "scheduledend": "1700-01-01T00:00:00Z"})
plain(
    "0x80048403",
    400,
    "POST",
    f"{ACCOUNT}/Attributes",
    {**TEXT, "@odata.type": f"{CRM}StateAttributeMetadata", "SchemaName": "new_S"},
)

# Files


plain("0x80043E09", 400, "POST", "annotations", {"subject": "S", "filename": "a.exe", "documentbody": "eHg="})

# Definitions


def table(name: str) -> dict[str, object]:
    primary = {**TEXT, "SchemaName": "new_Name", "IsPrimaryName": True}
    return {
        "SchemaName": f"new_{name}", "DisplayName": LABEL, "DisplayCollectionName": LABEL, "OwnershipType": "UserOwned",
        "HasNotes": False, "HasActivities": False, "Attributes": [primary],
    }  # fmt: skip


def relationship(name: str, **more: object) -> dict[str, object]:
    return {
        "@odata.type": f"{CRM}OneToManyRelationshipMetadata", "SchemaName": name, "ReferencedEntity": "account",
        "ReferencingEntity": "contact", "Lookup": {"SchemaName": f"{name}_id", "DisplayName": LABEL}, **more,
    }  # fmt: skip


@error("0x8004700B", 400)
def table_exists(wire: Wire) -> Reply:
    wire.post("EntityDefinitions", table("Thing"))
    return wire.post("EntityDefinitions", table("Thing"))


@error("0x80047013", 400)
def column_exists(wire: Wire) -> Reply:
    wire.post(f"{ACCOUNT}/Attributes", {**TEXT, "SchemaName": "new_Twice"})
    return wire.post(f"{ACCOUNT}/Attributes", {**TEXT, "SchemaName": "new_Twice"})


@error("0x80044345", 400)
def choice_exists(wire: Wire) -> Reply:
    body = {
        "@odata.type": f"{CRM}OptionSetMetadata", "Name": "new_choice", "OptionSetType": "Picklist", "DisplayName": LABEL,
        "Options": [{"Value": 1, "Label": LABEL}],
    }  # fmt: skip
    wire.post("GlobalOptionSetDefinitions", body)
    return wire.post("GlobalOptionSetDefinitions", body)


@error("0x80047010", 400)
def relationship_exists(wire: Wire) -> Reply:
    wire.post("RelationshipDefinitions", relationship("new_twice"))
    return wire.post("RelationshipDefinitions", relationship("new_twice"))


plain("0x80047003", 400, "POST", "RelationshipDefinitions", relationship("new_bad", ReferencedAttribute="name"))
plain("0x80044367", 400, "POST", f"{ACCOUNT}/Attributes", {**TEXT, "SchemaName": "new_" + "x" * 60})
plain(
    "0x8004802A", 400, "POST", "RelationshipDefinitions",
    relationship("new_" + "x" * 110) | {"Lookup": {"SchemaName": "new_long_id", "DisplayName": LABEL}},
)  # fmt: skip
plain("0x8004431C", 400, "POST", f"{ACCOUNT}/Attributes", {
    "@odata.type": f"{CRM}BooleanAttributeMetadata", "SchemaName": "new_YesNo", "DisplayName": LABEL,
    "OptionSet": {"TrueOption": {"Value": 5, "Label": LABEL}, "FalseOption": {"Value": 0, "Label": LABEL}},
})  # fmt: skip
plain("0x8004F01F", 400, "DELETE", ACCOUNT)
plain(
    "0x8004024A",
    404,
    "POST",
    "InsertOptionValue",
    {"EntityLogicalName": "nosuch", "AttributeLogicalName": "x", "Label": LABEL},
)
plain("0x80047009", 404, "DELETE", "RelationshipDefinitions(SchemaName='nosuch')")
plain("0x80040000", 501, "POST", "NoSuchAction", {})
plain(
    "0x80041103",
    400,
    "GET",
    "accounts?fetchXml=<fetch><entity name='account'><attribute name='nosuch'/></entity></fetch>",
)


@error("0x80040333", 412)
def duplicate_found(wire: Wire) -> Reply:
    body = {"name": "A", "emailaddress1": "twice@example.com"}
    wire.post("accounts", body)
    return wire.send("POST", "accounts", body, {"MSCRM.SuppressDuplicateDetection": "false"})


plain(
    "0x80048060",
    400,
    "POST",
    "ImportSolution",
    {
        "CustomizationFile": "eA==",
        "ImportJobId": ABSENT,
        "OverwriteUnmanagedCustomizations": True,
        "PublishWorkflows": False,
    },
)


@error("0x80040220", 403)
def caller_without_privileges(wire: Wire) -> Reply:
    id_ = str(uuid4())
    wire.admin("seed", {"systemusers": [{"systemuserid": id_, "lastname": "Weak", "securityroles": "Nothing"}]})
    return wire.send("POST", "accounts", {"name": "A"}, {"MSCRMCallerID": id_})
