"""Only something that answers the admin handshake is an emulator; a Microsoft host is never even asked."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from flitstack.app.emulators import call, is_emulator
from flitstack.errors import StepFailed, UsageError


@contextmanager
def answering(body: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A loopback server that gives one answer to everybody and keeps what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
                )

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        thread.join(5)


def test_the_handshake_makes_an_emulator() -> None:
    with answering(b'{"product": "flitstack-emulator"}') as (url, asked):
        assert is_emulator(url)
    assert asked[0].startswith(b"GET /flitstack-admin/ ")


def test_another_server_is_none() -> None:
    with answering(b"<html>hello</html>") as (url, _):
        assert not is_emulator(url)


@pytest.mark.parametrize("host", ["acme.crm4.dynamics.com", "ACME.CRM.DYNAMICS.COM", "dynamics.com"])
def test_a_microsoft_host_never_is_one(host: str) -> None:
    assert not is_emulator(f"https://{host}/")


def test_silence_and_nonsense_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(StepFailed, match="nobody answers"):
        call(f"http://127.0.0.1:{port}", "fingerprint")
    with pytest.raises(UsageError, match="no http"):
        call("ftp://x", "fingerprint")
