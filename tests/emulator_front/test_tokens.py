"""Tokens and callers. Request shape: Microsoft Learn, "Use OAuth authentication with Dataverse"."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from front_wire import Reply, Wire, running

from flitstack.emulator.auth import DEFAULT_CLIENT, DEFAULT_SECRET, TOKEN_LIFETIME_S
from flitstack.emulator.instance import Options

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OTHER = "30000000-0000-4000-8000-000000000001"
ENTRA = "30000000-0000-4000-8000-0000000000ee"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Wire]:
    """An emulator that asks for tokens."""
    with running(Options(tmp_path / "data", is_open=False)) as started:
        yield started


def ask(wire: Wire, **changed: str) -> Reply:
    form = {
        "grant_type": "client_credentials",
        "client_id": DEFAULT_CLIENT,
        "client_secret": DEFAULT_SECRET,
        "scope": f"{wire.url}/.default",
        **changed,
    }
    return wire.send("POST", "/contoso.example/oauth2/v2.0/token", urlencode(form).encode(), FORM)


def bearer(wire: Wire, **changed: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {ask(wire, **changed).json()['access_token']}"}


def test_a_token_opens_the_data_api(guarded: Wire) -> None:
    answer = ask(guarded)
    assert answer.status == 200
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == TOKEN_LIFETIME_S
    assert guarded.get("WhoAmI", bearer(guarded))["UserId"]


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Bearer a.b.c", "Basic abc", "Bearer "])
def test_without_a_valid_token_nothing_is_answered(guarded: Wire, header: str | None) -> None:
    reply = guarded.send("GET", "WhoAmI", headers={"Authorization": header} if header else None)
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer authorization_uri=")


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_id": OTHER}, 400, "unauthorized_client"),
        ({"client_id": ""}, 400, "invalid_request"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "user.read"}, 400, "invalid_scope"),
    ],
)
def test_a_wrong_form_gets_no_token(guarded: Wire, changed: dict[str, str], status: int, error: str) -> None:
    reply = ask(guarded, **changed)
    assert (reply.status, reply.json()["error"]) == (status, error)


def test_a_token_outlives_a_restart_but_not_its_time(tmp_path: Path) -> None:
    options = Options(tmp_path / "data", is_open=False)
    with running(options) as first:
        headers = bearer(first)
        expired = first.instance.doorkeeper.issue(
            {
                "grant_type": "client_credentials", "client_id": DEFAULT_CLIENT, "client_secret": DEFAULT_SECRET,
                "scope": "x/.default",
            },
            lifetime_s=-1,
        )  # fmt: skip
    with running(options) as second:
        assert second.send("GET", "WhoAmI", headers=headers).status == 200
        late = {"Authorization": f"Bearer {expired['access_token']}"}
        assert second.send("GET", "WhoAmI", headers=late).status == 401


def test_each_application_is_a_user_of_its_own(guarded: Wire) -> None:
    made = guarded.admin("clients", {"client_id": OTHER, "secret": "s", "name": "Second loader"})
    headers = bearer(guarded, client_id=OTHER, client_secret="s")
    assert guarded.get("WhoAmI", headers)["UserId"] == made["systemuserid"]
    row = guarded.post("accounts", {"name": "A"}, headers).entity
    assert guarded.get(f"{row}?$select=_createdby_value", headers)["_createdby_value"] == made["systemuserid"]


def test_an_open_emulator_still_tells_applications_apart(wire: Wire) -> None:
    made = wire.admin("clients", {"client_id": OTHER, "secret": "s"})
    assert wire.get("WhoAmI", bearer(wire, client_id=OTHER, client_secret="s"))["UserId"] == made["systemuserid"]
    assert wire.get("WhoAmI", {"Authorization": "Bearer nonsense"})["UserId"] != made["systemuserid"]


def test_a_row_made_for_somebody_names_both(wire: Wire) -> None:
    own = wire.get("WhoAmI")["UserId"]
    wire.admin("seed", {"systemusers": [{"systemuserid": OTHER, "lastname": "Ana", "accessmode": "Read-Write"}]})
    row = wire.post("accounts", {"name": "A"}, {"MSCRMCallerID": OTHER}).entity
    found = wire.get(f"{row}?$select=_createdby_value,_createdonbehalfby_value,_ownerid_value")
    assert found["_createdby_value"] == found["_ownerid_value"] == OTHER
    assert found["_createdonbehalfby_value"] == own


def test_callers_are_also_named_by_their_entra_id(wire: Wire) -> None:
    wire.admin("seed", {"systemusers": [{"systemuserid": OTHER, "lastname": "Ana"}]})
    cell = {"table": "systemuser", "id": OTHER, "column": "azureactivedirectoryobjectid", "value": ENTRA}
    wire.admin("cell", cell)
    assert wire.get("WhoAmI", {"CallerObjectId": ENTRA})["UserId"] == OTHER


def test_nobody_acts_for_disabled_or_unknown_users(wire: Wire) -> None:
    wire.admin("seed", {"systemusers": [{"systemuserid": OTHER, "lastname": "Ana", "isdisabled": "1"}]})
    disabled = wire.send("GET", "WhoAmI", headers={"MSCRMCallerID": OTHER})
    assert (disabled.status, disabled.code) == (403, "0x80040225")
    assert wire.send("GET", "WhoAmI", headers={"MSCRMCallerID": ENTRA}).status == 403
    assert wire.send("GET", "WhoAmI", headers={"MSCRMCallerID": "nobody"}).status == 400


def test_errors_have_the_form_of_entra(guarded: Wire) -> None:
    found = ask(guarded, client_secret="wrong").json()
    assert found["error_codes"] == [7000215]
    assert found["error_description"].startswith("AADSTS7000215: Invalid client secret provided")
    assert found["correlation_id"] in found["error_description"]
    assert set(found) >= {"timestamp", "trace_id", "error_uri"}
    assert guarded.send("GET", "/contoso.example/oauth2/v2.0/token").status == 405


def test_the_older_endpoint_names_a_resource(guarded: Wire) -> None:
    form = {
        "grant_type": "client_credentials", "client_id": DEFAULT_CLIENT, "client_secret": DEFAULT_SECRET,
        "resource": guarded.url,
    }  # fmt: skip
    assert guarded.send("POST", "/contoso.example/oauth2/token", urlencode(form).encode(), FORM).status == 200


def test_a_secret_expires(guarded: Wire) -> None:
    client = {"client_id": OTHER, "secret": "s", "expires": "2031-01-01T00:00:00Z"}
    guarded.admin("clients", client)
    assert ask(guarded, client_id=OTHER, client_secret="s").status == 200
    guarded.admin("clock", {"set": "2031-01-01T00:00:01Z"})
    late = ask(guarded, client_id=OTHER, client_secret="s")
    assert (late.status, late.json()["error_codes"]) == (401, [7000222])
    assert guarded.send("POST", "/flitstack-admin/clients", {**client, "expires": "soon"}).status == 400


def test_only_the_named_tenant_gives_tokens(tmp_path: Path) -> None:
    with running(Options(tmp_path / "data", is_open=False, tenant="fabrikam.example")) as wire:
        refused = ask(wire)
        assert (refused.status, refused.json()["error"]) == (400, "invalid_request")
        assert refused.json()["error_codes"] == [90002]
