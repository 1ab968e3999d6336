"""POST, PUT and DELETE on definitions."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from flitstack.emulator.messages import Answer, Request, not_implemented
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.paths import Segment


def write(live: Live, request: Request, segments: Sequence[Segment], now: datetime, key_delay: timedelta) -> Answer:
    """The answer to a write below one of the definition roots."""
    raise not_implemented("metadata writes")
