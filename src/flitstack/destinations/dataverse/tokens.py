"""Bearer tokens: none, a fixed one, Entra client credentials, or any azure-identity credential.

Source: Microsoft Learn, "Use OAuth authentication with Microsoft Dataverse" (scope `{environment url}/.default`).
"""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp
import orjson

from flitstack.destinations.faults import Fatal, Unavailable

# A token this close to its end is renewed before it is used: longer than the longest request may wait to be sent.
RENEW_BEFORE_END_S = 300


class Tokens(Protocol):
    """Where the client gets the value of its Authorization header."""

    async def bearer(self, session: aiohttp.ClientSession) -> str | None:
        """A token that is good for some minutes, or None when the destination asks for none."""

    def forget(self) -> None:
        """The destination refused the current token: get a new one next time."""


class NoTokens:
    """For an emulator that asks for none."""

    async def bearer(self, session: aiohttp.ClientSession) -> str | None:
        """None."""
        return None

    def forget(self) -> None:
        """Nothing to forget."""


class FixedToken:
    """A token made elsewhere, used as it is."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def bearer(self, session: aiohttp.ClientSession) -> str | None:
        """The token."""
        return self._token

    def forget(self) -> None:
        """A fixed token cannot be renewed; the second refusal is fatal."""


class ClientCredentials:
    """Entra ID client credentials (application user). The secret is read from the environment at each renewal."""

    def __init__(
        self,
        token_url: str,
        client_id: str,
        secret_variable: str,
        scope: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token_url, self._client_id, self._secret_variable, self._scope = (
            token_url,
            client_id,
            secret_variable,
            scope,
        )
        self._clock = clock
        self._token, self._ends_at = "", 0.0
        self._renewing = asyncio.Lock()

    @classmethod
    def of_tenant(cls, tenant: str, client_id: str, secret_variable: str, environment_url: str) -> "ClientCredentials":
        """Against Microsoft's own token endpoint."""
        token_url = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
        return cls(token_url, client_id, secret_variable, f"{environment_url.rstrip('/')}/.default")

    async def bearer(self, session: aiohttp.ClientSession) -> str | None:
        """The current token, renewed first when it ends within `RENEW_BEFORE_END_S`; one renewal at a time."""
        async with self._renewing:
            if self._clock() >= self._ends_at - RENEW_BEFORE_END_S:
                await self._renew(session)
            return self._token

    def forget(self) -> None:
        """Renew before the next request."""
        self._ends_at = 0.0

    async def _renew(self, session: aiohttp.ClientSession) -> None:
        secret = os.environ.get(self._secret_variable, "")
        if not secret:
            raise Fatal(f"the environment variable {self._secret_variable} with the client secret is not set")
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": secret,
            "scope": self._scope,
        }
        try:
            async with session.post(self._token_url, data=form) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"the token endpoint could not be reached: {type(error).__name__}") from error
        answer = _json_object(body)
        token = answer.get("access_token")
        if status >= 500 or status == 429:
            raise Unavailable(f"the token endpoint answered {status}")
        if status != 200 or not isinstance(token, str):
            reason = str(answer.get("error_description") or answer.get("error") or "no token in the answer")
            raise Fatal(f"no token for client {self._client_id}: {status} {reason.splitlines()[0]}")
        lifetime = answer.get("expires_in", 3600)
        self._token, self._ends_at = token, self._clock() + float(lifetime)


class EntraIdentity:
    """Any azure-identity credential (managed identity, certificate, developer login); needs the extra `entra`."""

    def __init__(self, scope: str, credential: Any = None, clock: Callable[[], float] = time.time) -> None:
        if credential is None:
            try:
                from azure.identity import DefaultAzureCredential
            except ImportError as error:
                raise Fatal("this sign-in needs an extra: pip install 'flitstack[entra]'") from error
            credential = DefaultAzureCredential()
        self._credential, self._scope, self._clock = credential, scope, clock
        self._token, self._ends_at = "", 0.0

    async def bearer(self, session: aiohttp.ClientSession) -> str | None:
        """The credential's token. The library blocks, so it runs in a thread."""
        if self._clock() >= self._ends_at - RENEW_BEFORE_END_S:
            try:
                found = await asyncio.to_thread(self._credential.get_token, self._scope)
            except ValueError as error:
                raise Fatal(f"azure-identity gave no token: {error}") from error
            self._token, self._ends_at = found.token, float(found.expires_on)
        return self._token

    def forget(self) -> None:
        """Renew before the next request."""
        self._ends_at = 0.0


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
