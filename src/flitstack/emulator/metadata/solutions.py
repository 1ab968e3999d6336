"""Which unmanaged solution a new component belongs to. Publishers and solutions themselves are ordinary rows."""

from flitstack.emulator.messages import Refusal, Request
from flitstack.emulator.metadata.live import Live

_BUILT_IN = frozenset({"default", "active"})


def record_component(live: Live, request: Request, component: str) -> None:
    """Keep the component under the solution of the header, or of the query option that Microsoft's Python SDK uses."""
    solution = request.headers.get("mscrm.solutionuniquename") or request.query.get("SolutionUniqueName")
    if not solution:
        return
    if solution.lower() not in _BUILT_IN and not _exists(live, solution):
        raise Refusal(400, "0x80040217", f"solution With uniquename = {solution} Does Not Exist")
    live.environment.put_document("solution_component", f"{solution}/{component}", {"solution": solution})


def _exists(live: Live, solution: str) -> bool:
    connection = live.environment.connection
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'solution'").fetchone() is None:
        return False
    return (
        connection.execute("SELECT 1 FROM solution WHERE fold(uniquename) = fold(?)", (solution,)).fetchone()
        is not None
    )
