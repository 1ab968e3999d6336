"""What happens on the way to an answer, told apart: nothing done, perhaps done, refused."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from wire.golden import read_request

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client, Timeouts
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.destinations.dataverse.tokens import ClientCredentials, FixedToken
from flitstack.destinations.faults import Fatal, Fault, Refused, Throttled, Unanswered, Unavailable
from flitstack.destinations.port import Call, Done

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SHORT = Timeouts(connect_s=2, answer_s=0.3)


def saying(text: str) -> Serve:
    """Answers every request with this text and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(text.replace("\n", "\r\n").encode())
        await writer.drain()
        writer.close()

    return serve


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await asyncio.sleep(1)
    writer.close()


def post_to(serve: Serve) -> None:
    async def whole() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeouts=SHORT)
        try:
            await client.post("accounts", {"name": "x"})
        finally:
            await client.close()
            server.close()

    asyncio.run(whole())


def answer(status: str, body: str = "{}", headers: str = "") -> str:
    head = f"HTTP/1.1 {status}\nContent-Type: application/json\n{headers}"
    return f"{head}Content-Length: {len(body)}\nConnection: close\n\n{body}"


@pytest.mark.parametrize(
    ("serve", "fault"),
    [
        pytest.param(saying(""), Unanswered, id="cut before any answer"),
        pytest.param(silent, Unanswered, id="time out"),
        pytest.param(saying("HTTP/1.1 200 OK\nContent-Length: 100\n\n{"), Unanswered, id="truncated body"),
        pytest.param(saying("HTTP/1.1 200 OK\nContent-"), Unanswered, id="truncated head"),
        pytest.param(saying("not HTTP at all\n\n"), Unanswered, id="garbage"),
        pytest.param(saying(answer("500 Internal Server Error")), Unanswered, id="500"),
        pytest.param(saying(answer("502 Bad Gateway", "<html>")), Unanswered, id="502"),
        pytest.param(saying(answer("503 Service Unavailable")), Unavailable, id="503"),
        pytest.param(saying(answer("429 Too Many Requests", headers="Retry-After: 5\n")), Throttled, id="429"),
        pytest.param(saying(answer("400 Bad Request")), Refused, id="400"),
        pytest.param(saying(answer("501 Not Implemented")), Refused, id="501"),
        pytest.param(saying(answer("401 Unauthorized")), Fatal, id="401 twice"),
        pytest.param(
            saying(answer("302 Found", headers="Location: http://elsewhere.invalid/\n")), Fatal, id="redirect"
        ),
    ],
)
def test_each_end_of_a_request_is_one_fault(serve: Serve, fault: type[Fault]) -> None:
    with pytest.raises(fault):
        post_to(serve)


def post(url: str, timeouts: Timeouts = SHORT) -> None:
    async def whole() -> None:
        client = Client(url, timeouts=timeouts)
        try:
            await client.post("accounts", {"name": "x"})
        finally:
            await client.close()

    asyncio.run(whole())


def test_a_port_nobody_listens_on_means_nothing_was_done() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="no connection"):
            post(f"http://127.0.0.1:{taken.getsockname()[1]}")


def test_a_server_that_speaks_no_tls_is_not_trusted() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async def whole() -> None:
        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        client = Client(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeouts=SHORT)
        try:
            await client.post("accounts", {"name": "x"})
        finally:
            await client.close()
            server.close()

    with pytest.raises(Fatal, match="no trusted TLS connection"):
        asyncio.run(whole())


@pytest.mark.parametrize("url", ["", "org.crm4.dynamics.com", "ftp://org.crm4.dynamics.com", "https://"])
def test_an_address_that_is_none_is_said_at_once(url: str) -> None:
    with pytest.raises(Fatal, match="not the address of an environment"):
        Client(url)


def test_a_missing_secret_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)

    async def whole() -> None:
        client = Client(
            "http://127.0.0.1:1", ClientCredentials.of_tenant("t", "app", "NO_SUCH_SECRET", "http://127.0.0.1:1")
        )
        try:
            await client.get("WhoAmI")
        finally:
            await client.close()

    with pytest.raises(Fatal, match="NO_SUCH_SECRET"):
        asyncio.run(whole())


def test_a_next_link_to_another_host_gets_no_token() -> None:
    async def whole() -> None:
        client = Client("http://127.0.0.1:1", FixedToken("secret"))
        try:
            await client.get("http://elsewhere.invalid/api/data/v9.2/contacts?$skiptoken=1")
        finally:
            await client.close()

    with pytest.raises(Fatal, match="leads to another host"):
        asyncio.run(whole())


def batch_answered(body: str, status: str = "200 OK", *, go_on: bool = True) -> list[Done]:
    async def whole() -> list[Done]:
        head = f"HTTP/1.1 {status}\nContent-Type: multipart/mixed; boundary=b1\nContent-Length: "
        text = body.replace("\n", "\r\n")
        serve = saying(f"{head}{len(text)}\nConnection: close\n\n{body}")
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeouts=SHORT)
        destination = DataverseDestination(client, load_catalogue())
        try:
            row = UUID(int=1)
            return await destination.batch([Call("delete", "account", row)] * 2, continue_on_error=go_on)
        finally:
            await destination.close()
            server.close()

    return asyncio.run(whole())


PART = "--b1\nContent-Type: application/http\n\nHTTP/1.1 204 No Content\n\n\n"


def test_a_batch_answer_without_its_end_is_no_answer() -> None:
    with pytest.raises(Unanswered, match="has 1 parts"):
        batch_answered(PART + PART)


def test_a_batch_answer_with_a_part_too_few_is_no_answer() -> None:
    with pytest.raises(Unanswered, match="has 1 parts"):
        batch_answered(PART + "--b1--\n")


def test_a_refusal_that_is_not_the_last_outcome_of_a_stopped_batch_counts_as_unanswered() -> None:
    with pytest.raises(Unanswered):
        batch_answered(PART + "--b1--\n", "400 Bad Request", go_on=False)


def read_from(statuses: list[str]) -> tuple[dict[str, object], list[float]]:
    """What a read gets of a server that answers with these, one after another; seconds it would have waited between."""
    waited: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await saying(answer(statuses.pop(0), '{"value": []}'))(reader, writer)

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    async def whole() -> dict[str, object]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = Client(url, timeouts=SHORT, sleep=wait)
        try:
            return (await client.get("accounts")).json()
        finally:
            await client.close()
            server.close()

    return asyncio.run(whole()), waited


def test_a_read_outlasts_a_minute_without_service() -> None:
    found, waited = read_from(["503 Service Unavailable"] * 7 + ["200 OK"])
    assert found == {"value": []}
    assert sum(waited) > 60


def test_an_environment_that_never_answers_is_told_within_seconds() -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    async def whole(port: int) -> None:
        client = Client(f"http://127.0.0.1:{port}", timeouts=SHORT, sleep=wait)
        try:
            await client.get("accounts")
        finally:
            await client.close()

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="no connection"):
            asyncio.run(whole(taken.getsockname()[1]))
    assert 5 < sum(waited) < 15


def test_many_pauses_do_not_use_up_the_tries_of_a_read() -> None:
    busy = "429 Too Many Requests\nRetry-After: 0"
    found, _ = read_from([busy] * 9 + ["200 OK"])
    assert found == {"value": []}
