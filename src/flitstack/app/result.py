"""What a step gives back to the face that called it, whichever face that is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_REJECTS, EXIT_WAITING, EXIT_DIFFERENCES, EXIT_STOPPED = 0, 1, 2, 3, 4, 5, 130


@dataclass(frozen=True, slots=True)
class Result:
    """`document` is what `--json` prints (one documented object, or a list); `lines` what a person reads; `next` the command that comes next."""

    document: Any
    lines: tuple[str, ...] = ()
    exit_code: int = EXIT_DONE
    next: str = ""


class Progress(Protocol):
    """Where a step says how far it is. Calls are cheap; a face decides what to show."""

    def phase(self, title: str, total: int | None = None) -> None:
        """A new stretch of work begins; `total` rows, or None where nobody knows."""

    def advance(self, rows: int) -> None:
        """So many more rows are done."""


@dataclass
class Silent:
    """Progress nobody looks at; keeps the titles for tests."""

    titles: list[str] = field(default_factory=list)

    def phase(self, title: str, total: int | None = None) -> None:
        """Keep the title."""
        self.titles.append(title)

    def advance(self, rows: int) -> None:
        """Nothing to show."""


Say = Callable[[str], None]


def worst_exit(*codes: int) -> int:
    """The exit code to end with where several apply: 1 before 5 before 4 before 3 before 0."""
    for code in (EXIT_FAILED, EXIT_USAGE, EXIT_DIFFERENCES, EXIT_WAITING, EXIT_REJECTS):
        if code in codes:
            return code
    return EXIT_DONE
