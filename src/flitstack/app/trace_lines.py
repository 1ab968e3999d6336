"""A traced cell as lines for a person: the newest station first, the cell of the export last."""

from collections.abc import Mapping
from typing import Any


def trace_lines(document: Mapping[str, Any]) -> list[str]:
    """What `flitstack trace` says of its document."""
    live, planned, rule = document["destination"], document["planned"], document["rule"]
    now = live["value"] if live["exists"] else "the row is not there"
    lines = [f"{document['table']} {document['row']}", f"  {document['column']:<12} now: {now}"]
    for one in document["operations"]:
        lines.append(
            f"  journal      {one['operation']} {one['outcome']} at {one['at']} by {one['operator']} (run {one['run']})"
        )
    if planned["sent"]:
        target = planned.get("target")
        to = f" = {target['table']} of {_place(target)}" if target else ""
        lines.append(f"  plan         {planned['value']}{to}{': ' + planned['later'] if 'later' in planned else ''}")
    elif "kept" in planned:
        lines.append(f"  plan         {planned['value']} is not sent: {planned['kept']}")
    lines += _rule_lines(rule)
    for cell in document["cells"]:
        merged = ", merged into this record" if cell["merged_in"] else ""
        lines.append(f'  export       {_place(cell)}, "{cell["header"]}": {cell["value"]}{merged}')
    for one in document["merged"]:
        lines.append(f"  merged       {_place(one)} ({one['rule']})")
    lines.append(f"  record       {document['object']}: {_place(document)}")
    return lines


def _rule_lines(rule: Mapping[str, Any] | None) -> list[str]:
    if rule is None:
        return ["  map          no longer holds the route that made this row"]
    if rule["made_by"] in {"planning", "nobody"}:
        return [f"  made by      {rule['what']}"]
    if rule["made_by"] == "states":
        return [f"  map          {rule['where']}: {rule['states']}"]
    lines = [f"  map          {rule['where']}: {rule.get('from') or rule['kind']} ({rule.get('status', '')})"]
    lines += [f"  run as       {rule['run']}", f"  mapped       {rule['value']}"]
    if "choices" in rule:
        lines.append(f"  choices      {', '.join(f'{key} = {value}' for key, value in rule['choices'].items())}")
    for way in rule.get("lookups", ()):
        lines.append(
            f"  lookup       {', '.join(way['tables'])} via {way['via']} by {way['by']}{' when ' + way['when'] if way['when'] else ''}"
        )
    return lines


def _place(found: Mapping[str, Any]) -> str:
    line = f" (line {found['line']})" if found.get("line") else ""
    return f"{found['file']}, record {found['record']}{line}"
