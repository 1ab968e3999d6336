"""The state step of a route: which state a row ends in, how it comes there, when, and at what value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flitstack.mapping.program import Program
from flitstack.staging.engine.engine import literal

if TYPE_CHECKING:
    from flitstack.mapping.compile import Compiler

_STATE_TYPES = {
    "_action": "VARCHAR",
    "_state": "BIGINT",
    "_status": "BIGINT",
    "_state_at": "TIMESTAMPTZ",
    "_state_value": "DECIMAL(38, 4)",
}


def compile_states(compiler: Compiler, program: Program, place: tuple[str | int, ...]) -> None:
    """The state step: the first `when` that holds counts."""
    if not program.route.states:
        return
    branches: list[str] = []
    parts: dict[str, list[str]] = {name: [] for name in _STATE_TYPES}
    for number, state in enumerate(program.route.states):
        inside = (*place, "states", number)
        branches.append(f"WHEN {compiler.condition(str(state.get('when', 'TRUE')), *inside, 'when')} THEN {number}")
        for name, sql in _state_parts(compiler, state, inside).items():
            parts[name].append(f"WHEN {number} THEN {sql}")
    for name, sql_type in _STATE_TYPES.items():
        program.parsed.append((f"{name}_", f"CASE CASE {' '.join(branches)} END {' '.join(parts[name])} END"))
        value = f"TRY_CAST({name}_ AS {sql_type})"
        program.values.append((name, _closing_day(value, compiler.context.zone) if name == "_state_at" else value))
    program.has_states = True


def _closing_day(moment: str, zone: str) -> str:
    """SQL of a closing moment; a day without a time is its noon in UTC.

    Midnight of the customer's zone is the day before in UTC, and the platform keeps the day alone (actualclosedate).
    """
    local = f"timezone({literal(zone)}, {moment})"
    noon = f"timezone('UTC', date_trunc('day', {local}) + INTERVAL 12 HOUR)"
    return f"CASE WHEN CAST({local} AS TIME) = TIME '00:00:00' THEN {noon} ELSE {moment} END"


def _state_parts(compiler: Compiler, state: Mapping[str, Any], place: tuple[str | int, ...]) -> dict[str, str]:
    at = compiler.expression(str(state["at"]), *place, "at", moment="to_datetime") if "at" in state else None
    return {
        "_action": literal(str(state.get("action", "patch"))),
        "_state": str(state.get("state", "NULL")),
        "_status": str(state.get("status", "NULL")),
        "_state_at": at.sql if at else "NULL",
        "_state_value": f"to_number({compiler.sql(str(state['value']), *place, 'value')})"
        if "value" in state
        else "NULL",
    }
