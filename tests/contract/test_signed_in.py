"""Sign-in, faults on the way and limits, against an emulator that asks for tokens."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from contract.emulators import start_emulator

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client, Timeouts
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.destinations.dataverse.tokens import ClientCredentials, FixedToken
from flitstack.destinations.faults import Fatal, Throttled, Unanswered, Unavailable
from flitstack.destinations.port import Body
from flitstack.destinations.throttled import ThrottledDestination

CATALOGUE = load_catalogue()
ACCOUNT = CATALOGUE.tables["account"]
CLIENT_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, url = start_emulator(tmp_path_factory.mktemp("emulator"), auth="on")
    asyncio.run(admin(url, "clients", {"client_id": CLIENT_ID, "secret": "s&cret"}))
    yield url
    process.terminate()
    process.wait(20)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACT_SECRET", "s&cret")
    monkeypatch.setenv("WRONG_SECRET", "guess")


async def admin(url: str, path: str, body: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/flitstack-admin/{path}", json=body) as answer:
        assert answer.status == 200, await answer.text()


def signed_in(url: str, variable: str = "CONTRACT_SECRET", answer_s: float = 5.0) -> DataverseDestination:
    tokens = ClientCredentials(f"{url}/tenant/oauth2/v2.0/token", CLIENT_ID, variable, f"{url}/.default")
    return DataverseDestination(Client(url, tokens, Timeouts(answer_s=answer_s)), CATALOGUE)


def one_row() -> tuple[UUID, Body]:
    row = UUID(bytes=os.urandom(6) + b"\x80\x00\x80\x00" + os.urandom(6))
    text = f'{{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{row}","name":"x"}}'
    return row, (b'{"Targets":[', text.encode(), b"]}")


def test_an_application_user_signs_in_and_is_itself(url: str) -> None:
    async def check() -> str:
        destination = signed_in(url)
        try:
            facts = await destination.facts()
            return next(user.email for user in facts.users if user.id == facts.user_id)
        finally:
            await destination.close()

    assert asyncio.run(check()).startswith(CLIENT_ID)


@pytest.mark.parametrize("kind", ["wrong secret", "no token", "false token"])
def test_who_cannot_sign_in_stops(url: str, kind: str) -> None:
    async def check() -> None:
        tokens = FixedToken("forged") if kind == "false token" else None
        wrong = signed_in(url, "WRONG_SECRET")
        destination = wrong if kind == "wrong secret" else DataverseDestination(Client(url, tokens), CATALOGUE)
        try:
            await destination.facts()
        finally:
            await destination.close()

    with pytest.raises(Fatal):
        asyncio.run(check())


@pytest.mark.parametrize(
    ("mishap", "fault", "is_there"),
    [
        ("throttle429", Throttled, False),
        ("unavailable503", Unavailable, False),
        ("cut_before", Unanswered, False),
        ("cut_after", Unanswered, True),
        ("timeout", Unanswered, True),
        ("truncated_body", Unanswered, True),
    ],
)
def test_a_mishap_is_the_right_fault_and_the_row_can_be_asked_for(
    url: str, mishap: str, fault: type[Exception], is_there: bool
) -> None:
    async def check() -> set[UUID]:
        destination = signed_in(url, answer_s=0.5)
        row, body = one_row()
        try:
            rule = {"kind": mishap, "path": "CreateMultiple", "times": 1, "seconds": 1}
            await admin(url, "faults", {"seed": 1, "rules": [rule]})
            with pytest.raises(fault):
                await destination.create_rows(ACCOUNT, body, 1)
            return {row} & await destination.existing(ACCOUNT, [row])
        finally:
            await admin(url, "faults", {"rules": []})
            await destination.close()

    assert bool(asyncio.run(check())) is is_there


def test_an_expired_token_is_renewed_without_the_caller_noticing(url: str) -> None:
    async def check() -> set[UUID]:
        destination = signed_in(url)
        row, body = one_row()
        try:
            await admin(url, "faults", {"rules": [{"kind": "expired_token", "path": "CreateMultiple", "times": 1}]})
            await destination.create_rows(ACCOUNT, body, 1)
            return await destination.existing(ACCOUNT, [row])
        finally:
            await admin(url, "faults", {"rules": []})
            await destination.close()

    assert len(asyncio.run(check())) == 1


@pytest.mark.slow
def test_a_paced_load_waits_its_turn_under_strict_limits(url: str, tmp_path: Path) -> None:
    async def check() -> tuple[int, dict[str, Any]]:
        paced = ThrottledDestination([signed_in(url)])
        rows = [one_row() for _ in range(150)]
        turns = asyncio.Semaphore(8)

        async def create(body: bytes) -> None:
            async with turns:
                await paced.create_rows(ACCOUNT, body, 1)

        try:
            await admin(url, "limits", {"profile": "strict"})
            await admin(url, "counters/reset", {})
            await asyncio.gather(*(create(body) for _, body in rows))
            async with aiohttp.ClientSession() as session, session.get(f"{url}/flitstack-admin/counters") as answer:
                counters: dict[str, Any] = await answer.json()
            await admin(url, "limits", {"profile": "relaxed"})
            return len(await paced.existing(ACCOUNT, [row for row, _ in rows])), counters
        finally:
            await paced.close()

    landed, counters = asyncio.run(check())
    assert landed == 150
    assert counters["during_pause"] <= 8  # what was under way when the pause began
