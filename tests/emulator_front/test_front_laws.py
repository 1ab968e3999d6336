"""Laws of the HTTP edge: nothing a client sends gives a 500 or a dropped connection; what is valid is carried out.

Urls, bodies, headers and batches are valid ones, then broken at random places.
"""

import http.client
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
import pytest
from front_wire import API, Reply, Wire
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MANY = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), database=None)
MULTIPLE = "accounts/Microsoft.Dynamics.CRM.CreateMultiple"
TARGET = {"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "T"}
ACCOUNT = "EntityDefinitions(LogicalName='account')"
ROW = "accounts(00000000-0000-4000-8000-0000000000a1)"
BATCH = (
    b"--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b'POST /api/data/v9.2/accounts HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{"name":"B"}\r\n'
    b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    b"--c\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n"
    b'POST accounts HTTP/1.1\r\n\r\n{"name":"C"}\r\n'
    b"--c\r\nContent-Type: application/http\r\nContent-ID: 2\r\n\r\n"
    b'PATCH $1 HTTP/1.1\r\n\r\n{"name":"D"}\r\n--c--\r\n'
    b"--b\r\nContent-Type: application/http\r\n\r\nGET accounts?$select=name&$top=1 HTTP/1.1\r\n\r\n--b--\r\n"
)
MIXED = {"Content-Type": "multipart/mixed; boundary=b"}
# (verb, path, body): all valid.
VALID: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("GET", "WhoAmI", None),
    ("GET", "RetrieveVersion", None),
    ("GET", "$metadata", None),
    ("GET", "accounts?$select=name,revenue&$filter=name eq 'A' and revenue gt 5&$orderby=name desc&$top=3", None),
    ("GET", "accounts?$expand=primarycontactid($select=lastname),contact_customer_accounts($top=1)&$count=true", None),
    ("GET", "contacts?$filter=contains(lastname,'a') or not (parentcustomerid_account/name eq 'B')", None),
    ("GET", "accounts?$filter=contact_customer_accounts/any(c:c/lastname eq 'x')", None),
    ("GET", "accounts?$filter=Microsoft.Dynamics.CRM.In(PropertyName=@p,PropertyValues=[\"1\"])&@p='name'", None),
    ("GET", "accounts/$count", None),
    ("GET", f"{ROW}?$select=name", None),
    ("GET", f"{ROW}/name", None),
    ("GET", "EntityDefinitions?$select=LogicalName&$filter=IsPrivate eq false&$top=2", None),
    ("GET", "EntityDefinitions(LogicalName='account')/Attributes?$select=LogicalName", None),
    (
        "GET",
        f"{ACCOUNT}/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$expand=OptionSet($select=Options)",
        None,
    ),
    ("GET", "GlobalOptionSetDefinitions?$select=Name", None),
    ("GET", "RelationshipDefinitions?$filter=SchemaName eq 'x'", None),
    ("POST", "accounts", {"name": "A", "revenue": 10.5, "numberofemployees": 3, "donotphone": True}),
    (
        "POST",
        "contacts",
        {"lastname": "L", "birthdate": "1990-01-31", "parentcustomerid_account@odata.bind": f"/{ROW}"},
    ),
    ("POST", "tasks", {"subject": "S", "scheduledend": "2026-01-31T10:00:00Z", "prioritycode": 1}),
    ("POST", MULTIPLE, {"Targets": [TARGET, TARGET]}),
    ("POST", "accounts/Microsoft.Dynamics.CRM.UpsertMultiple", {"Targets": [{**TARGET, "accountid": ROW[9:-1]}]}),
    ("PATCH", ROW, {"name": "P", "description": "x"}),
    ("PUT", f"{ROW}/name", {"value": "V"}),
    ("DELETE", f"{ROW}/description", None),
]
LABEL = {"LocalizedLabels": [{"Label": "L", "LanguageCode": 1033}]}
TEXT = {"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_T", "MaxLength": 9}
# Not valid each time they are sent, or not at all places: only for breaking.
MORE: list[tuple[str, str, Any]] = [
    ("GET", "accounts?$apply=groupby((industrycode),aggregate(revenue with sum as total))", None),
    ("GET", "accounts?$apply=filter(name eq 'A')/aggregate($count as n)", None),
    ("GET", "accounts?fetchXml=<fetch top='2'><entity name='account'><attribute name='name'/></entity></fetch>", None),
    ("GET", "accounts?sql=SELECT name FROM account", None),
    ("GET", "RetrieveTotalRecordCount(EntityNames=['account'])", None),
    ("POST", f"{ROW}/contact_customer_accounts/$ref", {"@odata.id": f"/{ROW}"}),
    ("POST", "accounts/Microsoft.Dynamics.CRM.UpdateMultiple", {"Targets": [{**TARGET, "accountid": ROW[9:-1]}]}),
    ("POST", "WinOpportunity", {"Status": 3, "OpportunityClose": {"opportunityid@odata.bind": f"/{ROW}"}}),
    ("POST", "Merge", {"Target": {**TARGET, "accountid": ROW[9:-1]}, "Subordinate": TARGET, "PerformParentingChecks": True}),
    ("POST", f"leads({ROW[9:-1]})/Microsoft.Dynamics.CRM.QualifyLead", {"CreateAccount": True, "Status": 3}),
    (
        "POST",
        "EntityDefinitions",
        {
            "SchemaName": "new_Thing", "DisplayName": LABEL, "DisplayCollectionName": LABEL, "OwnershipType": "UserOwned",
            "HasNotes": True, "HasActivities": False, "Attributes": [{**TEXT, "IsPrimaryName": True}],
        },
    ),
    ("POST", f"{ACCOUNT}/Attributes", TEXT),
    ("POST", f"{ACCOUNT}/Keys", {"SchemaName": "new_Key", "KeyAttributes": ["accountnumber"], "DisplayName": LABEL}),
    ("PUT", f"{ACCOUNT}/Attributes(LogicalName='name')", {**TEXT, "SchemaName": "Name"}),
    (
        "POST",
        "RelationshipDefinitions",
        {
            "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", "SchemaName": "new_r",
            "ReferencedEntity": "account", "ReferencingEntity": "contact", "ReferencedAttribute": "accountid",
            "Lookup": {"SchemaName": "new_L", "DisplayName": LABEL}, "CascadeConfiguration": {"Delete": "RemoveLink"},
        },
    ),
    (
        "POST",
        "GlobalOptionSetDefinitions",
        {
            "@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata", "Name": "new_o", "OptionSetType": "Picklist",
            "Options": [{"Value": 100000, "Label": LABEL}],
        },
    ),
    ("POST", "InsertOptionValue", {"EntityLogicalName": "account", "AttributeLogicalName": "industrycode", "Label": LABEL}),
    ("POST", "PublishXml", {"ParameterXml": "<importexportxml/>"}),
    ("GET", "RetrieveMetadataChanges(Query=@q)?@q={\"Criteria\":{\"FilterOperator\":\"And\"}}", None),
    ("GET", "sdkmessagefilters?$select=sdkmessagefilterid&$filter=sdkmessageid/name eq @m&@m='CreateMultiple'", None),
]  # fmt: skip
BREAKABLE = VALID + MORE
HEADERS = [
    "Prefer", "If-Match", "If-None-Match", "Content-Type", "Accept", "OData-Version", "MSCRMCallerID", "CallerObjectId",
    "MSCRM.SuppressDuplicateDetection", "MSCRM.BypassCustomPluginExecution", "MSCRM.SolutionUniqueName", "Consistency",
    "Cookie", "Authorization", "Range", "x-ms-file-name", "Whatever",
]  # fmt: skip
values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30), st.just(ROW[9:-1]), st.just(f"/{ROW}"), st.just([]), st.just({}), st.just([[TARGET]]),
    st.sampled_from(["2026-02-30", "9999-12-31T23:59:59+23:59", "0001-01-01", "1e400", "NaN", "$1", "/accounts()", "'"]),
)  # fmt: skip
names = st.sampled_from(
    ["name", "accountid", "revenue", "statecode", "statuscode", "ownerid@odata.bind", "primarycontactid@odata.bind",
     "contact_customer_accounts", "createdon", "overriddencreatedon", "industrycode", "@odata.type", "@odata.id",
     "parentaccountid", "_parentaccountid_value", "nosuch", "Targets", "versionnumber", "accountid@x", ""],
)  # fmt: skip
printable = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs"]), max_size=12)


@pytest.fixture(scope="module")
def edge(shared_wire: Wire) -> Wire:
    """One emulator with the row the requests speak of."""
    assert shared_wire.send("PATCH", ROW, {"name": "A"}).status == 204
    return shared_wire


@st.composite
def broken_text(draw: st.DrawFn, text: str) -> str:
    """A text with pieces cut out, doubled, or put in."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(start + 12, len(text))))
        piece = draw(
            st.one_of(printable, st.just(text[start:end] * 2), st.sampled_from(["(", ")", "'", "/", "$", "@", "%"]))
        )
        text = text[:start] + piece + text[end:]
    return text


@st.composite
def broken_body(draw: st.DrawFn, body: Any) -> bytes:
    """A body with other members anywhere inside, or other bytes."""
    if draw(st.integers(0, 3)):
        for _ in range(draw(st.integers(1, 3))):
            body = draw(broken_tree(body))
        return orjson.dumps(body) if _fits(body) else b"{"
    return draw(broken_bytes(orjson.dumps(body)))


@st.composite
def broken_tree(draw: st.DrawFn, tree: Any) -> Any:
    """A JSON document in which one member or item is another, is gone or was added."""
    if isinstance(tree, dict) and tree:
        name = draw(st.one_of(st.sampled_from(sorted(tree)), names, printable))
        if name not in tree:
            return {**tree, name: draw(values)}
        if draw(st.integers(0, 3)) == 0:
            return {other: value for other, value in tree.items() if other != name}
        return {**tree, name: draw(broken_tree(tree[name]))}
    if isinstance(tree, list) and tree and draw(st.booleans()):
        at = draw(st.integers(0, len(tree) - 1))
        return [*tree[:at], draw(broken_tree(tree[at])), *tree[at + 1 :]]
    return draw(values)


@st.composite
def broken_bytes(draw: st.DrawFn, raw: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = draw(st.integers(start, min(start + 20, len(raw))))
        piece = draw(
            st.one_of(st.binary(max_size=6), st.just(raw[start:end] * 2), st.sampled_from([b"\r\n", b"--b", b"--c--"]))
        )
        raw = raw[:start] + piece + raw[end:]
    return raw


def _fits(tree: Any) -> bool:
    """Whether all numbers are such as the JSON library writes."""
    if isinstance(tree, dict | list):
        return all(map(_fits, tree.values() if isinstance(tree, dict) else tree))
    return not isinstance(tree, int) or -(2**63) <= tree < 2**64


def send(wire: Wire, method: str, path: str, body: bytes | None, headers: dict[str, str] | None = None) -> Reply:
    return wire.send(method, API + quote(path, safe="/()$'=,@?&;:*%+!~\"[]{}|^`<>#\\"), body, headers)


def lawful(reply: Reply, sent: object) -> None:
    """Carried out, or refused with an error body of the service."""
    assert reply.status < 500 or reply.status == 501, (sent, reply.status, reply.body)
    if reply.status >= 400 and not reply.headers.get("content-type", "").startswith("multipart"):
        error = orjson.loads(reply.body)["error"]
        assert set(error) >= {"code", "message"}, (sent, error)
        assert isinstance(error["message"], str)
        assert error["code"] == "" or error["code"].startswith("0x"), (sent, error)


@pytest.mark.parametrize(("method", "path", "body"), VALID, ids=lambda value: str(value)[:40])
def test_the_valid_requests_are_valid(edge: Wire, method: str, path: str, body: Any) -> None:
    reply = edge.send(method, path, body)
    assert reply.status < 300, reply.body


def a_broken_url_is_refused_or_carried_out(edge: Wire, data: st.DataObject) -> None:
    method, path, body = data.draw(st.sampled_from(BREAKABLE))
    broken = data.draw(broken_text(path)).replace("#", "")
    if data.draw(st.integers(0, 5)) == 0:
        method = data.draw(st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "MERGE"]))
    lawful(send(edge, method, broken, None if body is None else orjson.dumps(body)), (method, broken))


def a_broken_body_is_refused_or_carried_out(edge: Wire, data: st.DataObject) -> None:
    method, path, body = data.draw(st.sampled_from([item for item in BREAKABLE if item[2] is not None]))
    broken = data.draw(broken_body(body))
    lawful(send(edge, method, path, broken), (method, path, broken))


def a_broken_header_is_refused_or_ignored(edge: Wire, data: st.DataObject) -> None:
    method, path, body = data.draw(st.sampled_from(BREAKABLE))
    texts = st.one_of(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
        st.sampled_from(
            ["null", "*", 'W/"1"', "return=representation", 'odata.include-annotations="*"', "odata.maxpagesize=3",
             "odata.track-changes", "respond-async", "odata.continue-on-error", ROW[9:-1], "multipart/mixed"],
        ),
    )  # fmt: skip
    headers = {name: data.draw(texts) for name in data.draw(st.sets(st.sampled_from(HEADERS), min_size=1, max_size=4))}
    lawful(send(edge, method, path, None if body is None else orjson.dumps(body), headers), (method, path, headers))


def a_broken_batch_is_refused_or_carried_out(edge: Wire, data: st.DataObject) -> None:
    raw = BATCH if data.draw(st.booleans()) else BATCH.replace(b"\r\n", b"\n")
    broken = data.draw(broken_bytes(raw))
    headers = dict(MIXED)
    if data.draw(st.booleans()):
        headers["Prefer"] = "odata.continue-on-error"
    reply = send(edge, "POST", "$batch", broken, headers)
    lawful(reply, broken)
    assert b"HTTP/1.1 500" not in reply.body, (broken, reply.body)


def any_members_are_refused_or_written(edge: Wire, data: st.DataObject) -> None:
    method = data.draw(st.sampled_from(["POST", "PATCH", "PUT"]))
    path = "accounts" if method == "POST" else ROW if method == "PATCH" else f"{ROW}/name"
    body = data.draw(st.dictionaries(names, values, max_size=5))
    if _fits(body):
        lawful(send(edge, method, path, orjson.dumps(body)), (method, body))


LAWS = [
    a_broken_url_is_refused_or_carried_out,
    a_broken_body_is_refused_or_carried_out,
    a_broken_header_is_refused_or_ignored,
    a_broken_batch_is_refused_or_carried_out,
    any_members_are_refused_or_written,
]


@pytest.mark.parametrize("law", LAWS)
@MANY
@given(data=st.data())
def test_nothing_a_client_sends_gives_a_500(
    edge: Wire, law: Callable[[Wire, st.DataObject], None], data: st.DataObject
) -> None:
    law(edge, data)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@settings(MANY, max_examples=3000)
@given(data=st.data())
def test_nothing_of_thousands_gives_a_500(
    edge: Wire, law: Callable[[Wire, st.DataObject], None], data: st.DataObject
) -> None:
    law(edge, data)


@MANY
@given(raw=st.binary(max_size=200))
def test_bytes_that_are_no_http_get_an_answer(edge: Wire, raw: bytes) -> None:
    """A complete line of nonsense is answered with 400; the emulator serves on."""
    address = urlsplit(edge.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
    connection.connect()
    assert connection.sock is not None
    connection.sock.sendall(b"\x01" + raw.replace(b"\n", b"") + b"\r\n\r\n")
    answer = connection.sock.recv(65536)
    connection.close()
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), (raw, answer)
    assert b'{"error":{"code"' in answer
    assert edge.send("GET", "WhoAmI").status == 200
