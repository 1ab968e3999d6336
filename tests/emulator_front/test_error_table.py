"""The documented errors, each provoked over a socket: code, status, how.

Source: Microsoft Learn, "Web service error codes", "Compose HTTP requests and handle errors" (statuses by class of error),
"Service protection API limits", "Troubleshoot Dataverse Web API client errors".
"""

import errors_of_rows
import errors_of_sales
import pytest
from error_cases import TABLE, Provoke, make
from front_wire import Wire

assert errors_of_rows
assert errors_of_sales  # importing them fills the table


def test_size_of_attachments(wire: Wire) -> None:
    """0x80044A02: the size of the organization."""
    wire.admin("organization", {"maxuploadfilesize": 10})
    body = {"subject": "S", "filename": "a.txt", "mimetype": "text/plain", "documentbody": "eHh4eHh4eHh4eHh4eHh4eHh4"}
    reply = wire.post("annotations", body)
    assert (reply.status, reply.code) == (400, "0x80044A02")


@pytest.mark.parametrize(
    ("facet", "code"), [("requests", "0x80072322"), ("time", "0x80072321"), ("concurrency", "0x80072326")]
)
def test_throttling(wire: Wire, facet: str, code: str) -> None:
    wire.admin("faults", {"rules": [{"kind": "throttle429", "facet": facet}]})
    reply = wire.send("GET", "WhoAmI")
    assert (reply.status, reply.code) == (429, code)


def test_sql_error(wire: Wire, capfd: pytest.CaptureFixture[str]) -> None:
    make(wire, "accounts", name="A")
    wire.instance.environment.connection.execute("DROP TABLE account$rows")
    reply = wire.send("GET", "accounts")
    assert (reply.status, reply.code) == (500, "0x80044150")
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(("code", "status", "provoke"), TABLE)
def test_the_error_is_that_of_the_service(shared_wire: Wire, code: str, status: int, provoke: Provoke) -> None:
    reply = provoke(shared_wire)
    assert reply.status == status, reply.body
    assert reply.code.lower() == code.lower(), reply.body
    assert reply.json()["error"]["message"]


def test_fifty_errors_are_in_the_table() -> None:
    answered = {case.values[0] for case in TABLE if not case.marks}
    # Provoked outside of it: the three of throttling, SQL, the size of attachments.
    assert len(answered) + 5 >= 50
