"""The pace of several application users against the model of the service that `load --simulate` and the forecast use."""

from dataclasses import dataclass, replace

import pytest

from flitstack.destinations.virtual import Assumed, Played, Request, VirtualService
from flitstack.limits import rows_per_s

ROWS = 500


@dataclass
class Endless:
    """More rows than time."""

    most_running: int

    def next(self) -> Request:
        return Request("create", ROWS)

    def answered(self, request: Request, seconds: float) -> None:
        """The size stays."""


def play(users: int, assumed: Assumed, hours: float = 0.75, after: float = 1.0) -> tuple[Played, float]:
    """What happened, and the share of what the limits allow from the first request on."""
    end = hours * 3600
    service = VirtualService(users, assumed, lambda now: 1.0 if now < end / 2 else after)
    service.play(Endless(48 * users), until=end)
    allowed = rows_per_s(ROWS, assumed.request_s + ROWS * assumed.row_s, assumed.servers * (1 + after) / 2)
    return service.played, service.played.rows / (allowed * users * end)


def check(played: Played, share: float, least: float) -> None:
    assert share >= least
    assert played.refused_later < 0.005 * played.requests_later
    assert played.in_pauses == 0


@pytest.mark.parametrize(("users", "row_s", "latency_s"), [(1, 0.0005, 0.3), (4, 0.002, 0.05), (8, 0.01, 0.15)])
def test_every_user_comes_near_what_the_limits_allow_almost_without_refusals(
    users: int, row_s: float, latency_s: float
) -> None:
    check(*play(users, Assumed(row_s=row_s, latency_s=latency_s)), least=0.95)


def test_without_a_word_about_what_is_left_it_does_as_well() -> None:
    check(*play(1, Assumed(tells_what_is_left=False)), least=0.95)


def test_a_limit_that_rises_in_the_middle_is_used_because_answers_tell_of_it() -> None:
    check(*play(1, Assumed(), hours=2, after=2.0), least=0.95)


def test_a_limit_that_falls_in_the_middle_is_found_from_the_first_refusals() -> None:
    check(*play(1, Assumed(), hours=2, after=0.5), least=0.95)


def test_pauses_that_grow_with_every_request_in_them_do_not_hurt() -> None:
    check(*play(1, Assumed(row_s=0.0005, latency_s=0.3, penalty_s=0.5)), least=0.90)


def test_three_web_servers_are_found_and_used() -> None:
    """Requests fall on servers by chance, so the fullest refuses while the others have room: not all of it can be had."""
    check(*play(1, Assumed(servers=3)), least=0.85)


def test_a_server_that_was_refused_once_does_not_make_the_answers_of_others_a_reason_to_send() -> None:
    played, _ = play(1, replace(Assumed(), servers=3, penalty_s=0.5))
    assert played.in_pauses == 0


def test_the_model_refuses_a_client_that_does_not_pace_itself() -> None:
    service = VirtualService(1, Assumed(row_s=0.0005))
    for pace in service.paces:
        pace.factor = 64.0
    service.play(Endless(48), until=400)
    assert service.played.refused > 0
    assert service.played.rows <= 1.05 * 2 * 300 * rows_per_s(ROWS, 0.29)  # two windows, and what was under way
