"""Microsoft's Python SDK, unmodified: its synchronous client, and its asynchronous one made to look the same."""

import asyncio
import inspect
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import aiohttp.connector
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.credentials_async import AsyncTokenCredential
from PowerPlatform.Dataverse.aio import AsyncDataverseClient
from PowerPlatform.Dataverse.client import DataverseClient
from secure_emulator import Served


class _Credential(TokenCredential):
    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("any", int(time.time()) + 3600)


class _AsyncCredential(AsyncTokenCredential):
    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("any", int(time.time()) + 3600)

    async def close(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None


def sync_client(emulator: Served) -> DataverseClient:
    """As its documentation makes one; REQUESTS_CA_BUNDLE has to name the certificate."""
    return DataverseClient(emulator.url, _Credential())


class Blocking:
    """An asynchronous object seen synchronously: coroutines are waited for, asynchronous iterators become lists."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return self._seen(getattr(self._inner, name))

    def __enter__(self) -> "Blocking":
        self._loop.run_until_complete(self._inner.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run_until_complete(self._inner.__aexit__(kind, error, trace))

    def _seen(self, value: Any) -> Any:
        if inspect.iscoroutine(value):
            return self._seen(self._loop.run_until_complete(value))
        if inspect.isasyncgen(value):
            return self._loop.run_until_complete(_collected(value))
        if callable(value) and not isinstance(value, type):
            return self._called(value)
        if type(value).__module__.startswith("PowerPlatform.Dataverse.aio"):
            return Blocking(value, self._loop)
        return value

    def _called(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **named: self._seen(function(*given, **named))


async def _collected(items: Any) -> list[Any]:
    return [item async for item in items]


def async_client(emulator: Served, loop: asyncio.AbstractEventLoop) -> AbstractContextManager[Any]:
    """The asynchronous client; the machine's trust store, which aiohttp keeps in one place, learns the certificate."""
    aiohttp.connector._SSL_CONTEXT_VERIFIED.load_verify_locations(str(emulator.certificate))
    return Blocking(AsyncDataverseClient(emulator.url, _AsyncCredential()), loop)
