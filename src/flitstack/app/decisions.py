"""Decisions as people take them, in the scoping file or decisions.yaml: read, and refused where nothing could follow them."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flitstack.documents import Lines, read_yaml
from flitstack.errors import Problem, UsageError
from flitstack.packs.types import Decision, Pack

# What a free value must be, as a person is told.
_FORMS = {
    "number": "a number, zero or more",
    "list": "a list of texts: [first, second]",
    "boolean": "true or false",
    "text": "a text",
    "zone": "a time zone such as Europe/Berlin",
    "date": "a date such as 2019-01-01, or nothing",
}


def read_decided(path: Path, pack: Pack) -> dict[str, dict[str, Any]]:
    """The entries of decisions.yaml, options as the pack spells them. Raises UsageError naming every mistake."""
    if not path.exists():
        return {}
    data, lines = read_yaml(path)
    entries: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for name, entry in _entries(data, problems, path, lines).items():
        where = f"{path.name}:{lines.get(('decisions', name, 'option'), lines.get(('decisions', name), 1))}"
        if not isinstance(entry, Mapping) or "option" not in entry:
            do = "write option: below its name, or take the decision out"
            problems.append(Problem("decision-form", f"decision {name} says no option", where=where, do=do))
            continue
        entries[name] = dict(entry)
        if name in pack.decisions:
            entries[name]["option"], problem = read_option(pack.decisions[name], entry["option"], where)
            problems += [problem] if problem else []
    if problems:
        raise UsageError(*problems)
    return entries


def read_option(decision: Decision, value: Any, where: str = "") -> tuple[Any, Problem | None]:
    """The option a value means: the option itself, or its first word ("auto (text below 50 …)"); or what is wrong."""
    if not decision.options:
        return _free_value(decision, value, where)
    text = str(value).strip()
    # "hold_queue_then_fallback": listed for provisioning first, whoever is missing at approval gets the fallback.
    for candidate in (text, text.split(" ")[0].split("(")[0].strip(), text.rsplit("_", 1)[-1]):
        if candidate in decision.not_built:
            what = f"{candidate!r} of decision {decision.name} is not built yet"
            return value, Problem("option-not-built", what, where=where, do=decision.not_built[candidate])
        if candidate in decision.options:
            return candidate, None
    what = f"{value!r} is not an option of decision {decision.name}"
    known = ", ".join(option for option in decision.options if option not in decision.not_built)
    do = f"choose one of these for {decision.name} in {where.partition(':')[0] or 'the scoping file'}"
    return value, Problem("option-unknown", what, where=where, known=known, do=do)


def _free_value(decision: Decision, value: Any, where: str) -> tuple[Any, Problem | None]:
    form = _FORMS.get(decision.kind)
    if form is None or value == decision.default:
        return value, None
    read = _READERS[decision.kind](value)
    if read is not None:
        return read, None
    what = f"{value!r} is no answer to decision {decision.name}"
    return value, Problem("option-unknown", what, where=where, known=form, do=f"write {form}")


def _number(value: Any) -> float | int | None:
    try:
        read = None if isinstance(value, bool) else value if isinstance(value, int) else float(value)
    except (TypeError, ValueError):
        return None
    return read if read is not None and 0 <= read < float("inf") else None


def _texts(value: Any) -> list[str] | None:
    if not isinstance(value, list) or not all(isinstance(one, str | int | float) for one in value):
        return None
    return [str(one) for one in value]


def _zone(value: Any) -> str | None:
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _date(value: Any) -> str | None:
    if value in ("", None):
        return ""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        return None


_READERS = {
    "number": _number,
    "list": _texts,
    "boolean": lambda value: value if isinstance(value, bool) else None,
    "text": lambda value: value if isinstance(value, str) else None,
    "zone": _zone,
    "date": _date,
}


def _entries(data: Mapping[str, Any], problems: list[Problem], path: Path, lines: Lines) -> dict[str, Any]:
    found = data.get("decisions") or {}
    if isinstance(found, Mapping):
        return {str(name): entry for name, entry in found.items()}
    where = f"{path.name}:{lines.get(('decisions',), 1)}"
    do = "write each decision by its name, with option: below it"
    problems.append(Problem("decision-form", "decisions must be a mapping", where=where, do=do))
    return {}
