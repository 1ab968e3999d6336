"""The five faults of a destination. Nothing else may leave an implementation of the port."""

from dataclasses import dataclass

NOT_THERE = "0x80040217"  # code of a refusal: the row that is named does not exist


class Fault(Exception):
    """Base of the five."""


class Throttled(Fault):
    """The request was refused before execution; nothing was done. Wait `retry_after_s`."""

    def __init__(self, retry_after_s: float, message: str) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(Fault):
    """The destination could not be reached, or refused before executing: nothing was done."""


class Unanswered(Fault):
    """The request left, no complete answer came: it may have been done. Ask before sending again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the destination refused a row: its code (`0x80044331`), HTTP status and message."""

    code: str
    status: int
    message: str


class Refused(Fault):
    """The destination executed nothing of this request and says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code} {refusal.message}")
        self.refusal = refusal


class Fatal(Fault):
    """Going on makes no sense: wrong credentials, wrong address, an answer nobody foresaw."""
