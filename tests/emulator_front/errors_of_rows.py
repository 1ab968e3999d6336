"""Errors of URLs, bodies, rows and keys."""

from uuid import uuid4

from error_cases import ABSENT, ACCOUNT, CRM, LABEL, TEXT, error, id_of, make, plain
from front_wire import Reply, Wire

from flitstack.emulator.seed import seed_id

# What cannot be read

plain("0x0", 400, "GET", "accounts?$select=nosuch")
plain("0x0", 400, "GET", "accounts?$filter=nosuch eq 1")
plain("0x0", 400, "POST", "accounts", {"nosuch": 1})
plain("0x80048d19", 400, "POST", "accounts", {"name": 5})
plain("0x80048d19", 400, "POST", "accounts", {"nosuch@odata.bind": f"/accounts({ABSENT})"})
plain("0x80048d19", 400, "POST", "accounts", b"{")
plain("0x80048d19", 400, "POST", f"accounts/{CRM}CreateMultiple", {"Targets": [{"name": "A"}]})
plain("0x80048d19", 400, "POST", "$batch", b"nothing", Content_Type="multipart/mixed; boundary=b")
plain("0x8006088a", 404, "GET", "Accounts")
plain("0x8006088a", 404, "GET", "nosuchs")
plain("", 404, "POST", "WhoAmI", {})
plain("", 404, "GET", f"accounts/{CRM}CreateMultiple")
plain("0x80060888", 405, "PATCH", "accounts", {"name": "A"})
plain("0x80060888", 405, "DELETE", "accounts")
plain("0x80060888", 400, "GET", "accounts?$top=-1")
plain("0x80060888", 400, "GET", "accounts?$orderby=name sideways")

# Rows and keys

plain("0x80040217", 404, "GET", f"accounts({ABSENT})")
plain("0x80040217", 404, "PATCH", f"accounts({ABSENT})", {"name": "A"}, If_Match="*")
plain("0x80040217", 404, "DELETE", f"accounts({ABSENT})")
plain(
    "0x80040217",
    404,
    "POST",
    "contacts",
    {"lastname": "A", "parentcustomerid_account@odata.bind": f"/accounts({ABSENT})"},
)
plain(
    "0x80040217",
    404,
    "POST",
    f"accounts/{CRM}UpdateMultiple",
    {"Targets": [{"@odata.type": f"{CRM}account", "accountid": ABSENT}]},
)
plain("0x80060890", 400, "GET", "accounts(name='A')")
plain("0x80040200", 400, "POST", "transactioncurrencies", {"currencyname": "X"})
plain("0x80040203", 400, "GET", "WhoAmI", MSCRMCallerID="nobody")
plain("0x80044331", 400, "POST", "accounts", {"name": "x" * 161})
plain("0x8004432F", 400, "POST", "accounts", {"numberofemployees": -1})
plain(
    "0x80044330",
    400,
    "POST",
    "transactioncurrencies",
    {"currencyname": "X", "currencysymbol": "X", "isocurrencycode": "XXX", "exchangerate": -1, "currencyprecision": 2},
)
plain("0x8004431A", 400, "POST", "accounts", {"industrycode": 999_999})
plain("0x80040317", 400, "POST", "accounts", {"revenue": 1e15})
plain("0x80048408", 400, "POST", "accounts", {"name": "A", "statuscode": 2})
plain("0x8004430D", 400, "GET", "accounts?$filter=" + " or ".join(f"revenue eq {n}" for n in range(600)))
plain("0x80072560", 403, "GET", "WhoAmI", MSCRMCallerID=ABSENT)


@error("0x80040237", 412)
def primary_key_exists(wire: Wire) -> Reply:
    return wire.post("accounts", {"accountid": id_of(make(wire, "accounts", name="A")), "name": "B"})


@error("0x80040237", 412)
def upsert_that_must_create(wire: Wire) -> Reply:
    return wire.send("PATCH", make(wire, "accounts", name="A"), {"name": "B"}, {"If-None-Match": "*"})


@error("0x80060882", 412)
def stale_etag(wire: Wire) -> Reply:
    return wire.send("PATCH", make(wire, "accounts", name="A"), {"name": "B"}, {"If-Match": 'W/"1"'})


@error("0x80040225", 403)
def disabled_caller(wire: Wire) -> Reply:
    return wire.send("GET", "WhoAmI", headers={"MSCRMCallerID": disabled_user(wire)})


@error("0x8004022B", 400)
def disabled_owner(wire: Wire) -> Reply:
    return wire.post("accounts", {"name": "A", "ownerid@odata.bind": f"/systemusers({disabled_user(wire)})"})


def disabled_user(wire: Wire) -> str:
    id_ = str(uuid4())
    wire.admin("seed", {"systemusers": [{"systemuserid": id_, "lastname": "Gone", "isdisabled": "1"}]})
    return id_


def keyed(wire: Wire, name: str) -> str:
    """A text column of account under an alternate key."""
    wire.post(f"{ACCOUNT}/Attributes", {**TEXT, "SchemaName": f"new_{name}"})
    key = {"SchemaName": f"new_key_{name}", "KeyAttributes": [f"new_{name}"], "DisplayName": LABEL}
    assert wire.post(f"{ACCOUNT}/Keys", key).status == 204
    return f"new_{name}"


@error("0x80060891", 404)
def no_row_of_that_key(wire: Wire) -> Reply:
    return wire.send("GET", f"accounts({keyed(wire, 'a')}='x')")


@error("0x80060891", 404)
def update_by_a_key_nobody_has(wire: Wire) -> Reply:
    return wire.send("PATCH", f"accounts({keyed(wire, 'b')}='x')", {"name": "A"}, {"If-Match": "*"})


@error("0x80060892", 412)
def key_value_taken(wire: Wire) -> Reply:
    column = keyed(wire, "c")
    make(wire, "accounts", **{column: "x"})
    return wire.post("accounts", {column: "X"})


@error("0x80060893", 400)
def key_name_taken(wire: Wire) -> Reply:
    keyed(wire, "d")
    return wire.post(f"{ACCOUNT}/Keys", {"SchemaName": "new_key_d", "KeyAttributes": ["accountnumber"]})


@error("0x80060894", 400)
def key_columns_taken(wire: Wire) -> Reply:
    keyed(wire, "e")
    return wire.post(f"{ACCOUNT}/Keys", {"SchemaName": "new_key_other", "KeyAttributes": ["new_e"]})


@error("0x8006088F", 400)
def key_over_a_memo(wire: Wire) -> Reply:
    return wire.post(f"{ACCOUNT}/Keys", {"SchemaName": "new_key_memo", "KeyAttributes": ["description"]})


@error("0x80040227", 405)
def delete_of_a_row_that_others_need(wire: Wire) -> Reply:
    currency = f"transactioncurrencies({seed_id('base currency')})"
    make(wire, "accounts", name="A", revenue=1)
    return wire.send("DELETE", currency)


@error("0x8004E023", 400)
def aggregate_over_too_many_rows(wire: Wire) -> Reply:
    connection = wire.instance.environment.connection
    make(wire, "letters", subject="A")
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50001) "
        "INSERT INTO letter$rows (activityid, subject) SELECT randomblob(16), 'x' FROM n"
    )
    return wire.send("GET", "letters?$apply=aggregate($count as n)")
