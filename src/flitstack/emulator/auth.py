"""Who asks: client-credential tokens, the bearer check, impersonation.

Tokens are signed, not stored, so they outlive a restart. Source: Microsoft Learn, "Use OAuth authentication with
Dataverse", "Impersonate another user using the Web API", "Microsoft Entra authentication and authorization error codes".
"""

import base64
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid4

import orjson

from flitstack.emulator.core import Environment
from flitstack.emulator.messages import Caller, Refusal
from flitstack.emulator.seed import APPLICATION_USER, seed_id
from flitstack.emulator.values import guid_text, uuid_blob

DEFAULT_CLIENT = str(seed_id("application"))
DEFAULT_SECRET = "flitstack"
TOKEN_LIFETIME_S = 3599


class TokenRefused(Exception):
    """An OAuth error answer: HTTP status, `error`, Entra's number and text."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(f"{error}: AADSTS{number}: {text}")
        self.status = status
        self.error = error
        self.number = number
        self.text = text

    def document(self, now: datetime) -> dict[str, object]:
        """The body, as Entra writes it."""
        trace, correlation = str(uuid4()), str(uuid4())
        stamp = f"{now:%Y-%m-%d %H:%M:%S}Z"
        ids = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.number}: {self.text} {ids}",
            "error_codes": [self.number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.number}",
        }


class Doorkeeper:
    """Tokens and callers of one environment. `is_open`: who brings no valid token is the application user.

    `tenant`: the one that gives out tokens; None when any does.
    """

    def __init__(
        self, environment: Environment, clock: Callable[[], datetime], *, is_open: bool, tenant: str | None = None
    ) -> None:
        self._environment = environment
        self._clock = clock
        self.is_open = is_open
        self.tenant = tenant
        with environment.transaction():  # of several processes on a new directory, one makes the key
            self._key = self._signing_key()
            if DEFAULT_CLIENT not in environment.documents("client"):
                self.register(DEFAULT_CLIENT, DEFAULT_SECRET, APPLICATION_USER)

    def _signing_key(self) -> bytes:
        stored = self._environment.documents("token_key").get("key")
        if stored is None:
            stored = {"key": secrets.token_hex(32)}
            self._environment.put_document("token_key", "key", stored)
        return bytes.fromhex(str(stored["key"]))

    def register(self, client: str, secret: str, user: UUID, expires: datetime | None = None) -> None:
        """Let an application sign in as this application user, until its secret expires."""
        until = None if expires is None else expires.timestamp()
        self._environment.put_document("client", client, {"secret": secret, "user": str(user), "expires": until})

    def issue(
        self, form: Mapping[str, str], tenant: str = "common", lifetime_s: int = TOKEN_LIFETIME_S
    ) -> dict[str, object]:
        """The token answer to a form-encoded client-credentials request. Raises TokenRefused."""
        if self.tenant not in (None, tenant):
            text = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
            raise TokenRefused(400, "invalid_request", 90002, text)
        for name in ("grant_type", "client_id", "client_secret"):
            if not form.get(name):
                text = f"The request body must contain the following parameter: '{name}'."
                raise TokenRefused(400, "invalid_request", 900144, text)
        if form["grant_type"] != "client_credentials":
            raise TokenRefused(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if not form.get("scope", "").endswith("/.default") and not form.get("resource"):  # v1 names a resource
            raise TokenRefused(400, "invalid_scope", 1002012, "The provided value for scope is not valid.")
        client = form["client_id"]
        known = self._environment.documents("client").get(client)
        if known is None:
            text = f"Application with identifier '{client}' was not found in the directory '{tenant}'."
            raise TokenRefused(400, "unauthorized_client", 700016, text)
        if not hmac.compare_digest(str(known["secret"]).encode(), form["client_secret"].encode()):
            text = f"Invalid client secret provided for app '{client}'."
            raise TokenRefused(401, "invalid_client", 7000215, text)
        expires = known.get("expires")
        if isinstance(expires, float) and expires <= self._clock().timestamp():
            text = f"The provided client secret keys for app '{client}' are expired."
            raise TokenRefused(401, "invalid_client", 7000222, text)
        claims = {"sub": known["user"], "appid": client, "exp": int(self._clock().timestamp()) + lifetime_s}
        body = {"token_type": "Bearer", "expires_in": lifetime_s, "ext_expires_in": lifetime_s}
        return {**body, "access_token": self._sign(claims)}

    def _sign(self, claims: Mapping[str, object]) -> str:
        head = _encode(orjson.dumps({"alg": "HS256", "typ": "JWT"}))
        signed = f"{head}.{_encode(orjson.dumps(claims))}"
        return f"{signed}.{_encode(hmac.digest(self._key, signed.encode(), sha256))}"

    def _user_of(self, header: str) -> UUID | None:
        """The user of an Authorization header; None unless it is a token of this emulator whose time is not over."""
        scheme, _, token = header.partition(" ")
        signed, _, signature = token.strip().rpartition(".")
        expected = _encode(hmac.digest(self._key, signed.encode(), sha256))
        if scheme.lower() != "bearer" or not hmac.compare_digest(expected.encode(), signature.encode()):
            return None
        claims = orjson.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        return UUID(claims["sub"]) if claims["exp"] > self._clock().timestamp() else None

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """The caller a request's headers name. Raises Refusal 401 without a valid token, 403 for a disabled user."""
        user = self._user_of(headers.get("authorization", ""))
        if user is None:
            if not self.is_open:
                raise Refusal(401, "0x80072560", "The bearer token is missing, invalid or expired.")
            user = APPLICATION_USER
        suppress = headers.get("mscrm.suppressduplicatedetection", "").lower() != "false"
        impersonated = self._impersonated(headers)
        if impersonated is None:
            self._require_enabled("systemuserid", user)
            return Caller(user, headers, suppress)
        return Caller(impersonated, headers, suppress, on_behalf_of=user)

    def acting(self, caller: Caller, headers: Mapping[str, str]) -> Caller:
        """The caller of one part of a batch, which may name somebody else to act for. Refusal as for `caller`."""
        suppress = headers.get("mscrm.suppressduplicatedetection", "").lower() != "false"
        impersonated = self._impersonated(headers)
        if impersonated is None:
            return Caller(caller.user_id, headers, suppress, caller.on_behalf_of)
        return Caller(impersonated, headers, suppress, caller.on_behalf_of or caller.user_id)

    def _impersonated(self, headers: Mapping[str, str]) -> UUID | None:
        for header, column in (("callerobjectid", "azureactivedirectoryobjectid"), ("mscrmcallerid", "systemuserid")):
            text = headers.get(header, "").strip().strip("{}")
            if text:
                try:
                    named = UUID(text)
                except ValueError as error:
                    raise Refusal(400, "0x80040203", f"'{text}' in {header} is no GUID.") from error
                return self._require_enabled(column, named)
        return None

    def _require_enabled(self, column: str, value: UUID) -> UUID:
        sql = f"SELECT systemuserid, isdisabled FROM systemuser WHERE {column} = ?"
        row = self._environment.connection.execute(sql, (uuid_blob(value),)).fetchone()
        if row is None:
            raise Refusal(403, "0x80072560", "The user is not a member of the organization.")
        user = UUID(guid_text(row[0]))
        if row[1]:
            raise Refusal(403, "0x80040225", f"The user with SystemUserId={user} in OrganizationContext is disabled.")
        return user


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
