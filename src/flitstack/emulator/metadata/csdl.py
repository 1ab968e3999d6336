"""`$metadata`: the service's CSDL document."""

from flitstack.emulator.messages import Answer, Request, not_implemented
from flitstack.emulator.metadata.live import Live


def answer(live: Live, request: Request) -> Answer:
    """The document; made in a later step."""
    raise not_implemented("$metadata")
