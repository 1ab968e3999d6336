"""Unbound actions on metadata."""

from collections.abc import Callable, Mapping

from flitstack.emulator.answers import no_content
from flitstack.emulator.messages import Answer, Request
from flitstack.emulator.metadata.live import Live


def _publish(live: Live, request: Request) -> Answer:
    return no_content()


ACTIONS: Mapping[str, Callable[[Live, Request], Answer]] = {
    "PublishXml": _publish,
    "PublishAllXml": _publish,
}
