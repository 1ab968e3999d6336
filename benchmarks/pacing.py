"""The pace against the documented limits in virtual time: share of what they allow, share of requests answered 429.

    python benchmarks/pacing.py [--hours 2] [--users 1 4 8] [--row-ms 0.5 2 10] [--latency-ms 50 150 300] [--only clean]

Every point plays the pace the loader uses (`destinations/pacing.py`) request by request against a model of the service
(`destinations/virtual.py`). `told`: answers say what is left of the window; `untold`: they do not. `halved`, `doubled`: the limit
changes in the middle; `grows`: each request that arrives during a pause makes it half a second longer; `servers`: three web
servers, each with limits of its own. Exit code 1 when a point misses its goal.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pages import a_page, write_section

from flitstack.destinations.virtual import Assumed, Played, Request, VirtualService
from flitstack.limits import WINDOW_S, rows_per_s

ROWS = 500
MOST_REFUSED = 0.005


@dataclass
class Endless:
    """More rows than time."""

    most_running: int

    def next(self) -> Request:
        """A full request."""
        return Request("create", ROWS)

    def answered(self, request: Request, seconds: float) -> None:
        """Nothing to learn: the size stays."""


@dataclass(frozen=True)
class Scenario:
    """A way the service behaves, and the share of its limits that has to be reached."""

    name: str
    assume: Callable[[Assumed], Assumed] = lambda assumed: assumed
    after: float = 1.0  # the limit's factor in the second half
    goal: float = 0.95


SCENARIOS = (
    Scenario("told"),
    Scenario("untold", lambda a: replace(a, tells_what_is_left=False)),
    Scenario("halved", lambda a: replace(a, tells_what_is_left=False), after=0.5),
    Scenario("doubled", after=2.0),
    Scenario("grows", lambda a: replace(a, tells_what_is_left=False, penalty_s=0.5), goal=0.90),
    Scenario("servers", lambda a: replace(a, servers=3), goal=0.80),
)


def play(
    scenario: Scenario, users: int, row_ms: float, latency_ms: float, hours: float, seed: int
) -> tuple[Played, float]:
    """One point; what happened, and rows against what the limits allow from the first request on."""
    assumed = scenario.assume(Assumed(row_s=row_ms / 1000, latency_s=latency_ms / 1000, seed=seed))
    end = hours * 3600
    service = VirtualService(users, assumed, lambda now: 1.0 if now < end / 2 else scenario.after)
    service.play(Endless(48 * users), until=end)
    execution_s = assumed.request_s + ROWS * assumed.row_s
    allowed = rows_per_s(ROWS, execution_s, assumed.servers * (1 + scenario.after) / 2) * users * end
    return service.played, service.played.rows / allowed


def points(given: argparse.Namespace) -> Iterator[tuple[Scenario, int, float, float]]:
    """The grid."""
    for scenario in SCENARIOS:
        if given.only in (None, scenario.name):
            for users in given.users:
                for row_ms in given.row_ms:
                    for latency_ms in given.latency_ms:
                        yield scenario, users, row_ms, latency_ms


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--users", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--row-ms", type=float, nargs="+", default=[0.5, 2, 10])
    parser.add_argument("--latency-ms", type=float, nargs="+", default=[50, 150, 300])
    parser.add_argument("--only", choices=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=a_page, help="also write the figures to this page")
    given = parser.parse_args()
    worst: dict[str, list[tuple[float, float, int]]] = {}
    missed = count = 0
    started = time.monotonic()
    print(f"{'service':<8} users ms/row latency   share  429s after the first {WINDOW_S} s   pauses  in pauses")
    for scenario, users, row_ms, latency_ms in points(given):
        played, share = play(scenario, users, row_ms, latency_ms, given.hours, given.seed)
        refused = played.refused_later / max(1, played.requests_later)
        worst.setdefault(scenario.name, []).append((share, refused, played.in_pauses))
        is_met = share >= scenario.goal and refused < MOST_REFUSED and not played.in_pauses
        count, missed = count + 1, missed + (not is_met)
        print(
            f"{scenario.name:<8} {users:>5} {row_ms:>6} {latency_ms:>7} {share:>7.1%} {refused:>10.3%} of {played.requests_later:>9,} "
            f"{played.pauses:>8} {played.in_pauses:>10}{'' if is_met else '  MISSED'}",
            flush=True,
        )
    print(f"{count} points of {given.hours:g} virtual hours, {missed} missed, {time.monotonic() - started:.0f} s")
    if given.write:
        write_section(
            given.write,
            "Pacing in virtual time",
            f"python benchmarks/pacing.py {' '.join(sys.argv[1:])}",
            summary(worst),
        )
    sys.exit(1 if missed else 0)


def summary(worst: dict[str, list[tuple[float, float, int]]]) -> list[str]:
    """The worst point of each way the service behaves."""
    lines = ["| service | points | least share of the limits | most 429s after the first window | requests in pauses |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for name, found in worst.items():
        shares, refused, in_pauses = zip(*found, strict=True)
        lines.append(f"| {name} | {len(found)} | {min(shares):.1%} | {max(refused):.3%} | {sum(in_pauses)} |")
    return lines


if __name__ == "__main__":
    main()
