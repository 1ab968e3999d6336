"""`flitstack inventory`: what the source automates and what rebuilds it, as JSON and as a document for people."""

from flitstack.app.local import open_engine
from flitstack.app.project import Project
from flitstack.app.result import Progress, Result
from flitstack.app.steps.report import write_inventory_report
from flitstack.reporting.document import FoundAutomation
from flitstack.reporting.inventory import inventory_document


def inventory(project: Project, progress: Progress) -> Result:
    """Write reports/inventory.html and .json. Raises UsageError while nothing is staged."""
    progress.phase("reading automations")
    with open_engine(project) as engine:
        report, page, data = write_inventory_report(project, engine)
    lines = [line for each in report.found for line in _lines(each)]
    lines += [f"asked    {each.kind}: {each.question}" for each in report.asked]
    lines += [f"left     {each.file}: {each.what}" for each in report.left_behind[:10]]
    lines += [f"{page}", f"{data}"]
    return Result({**inventory_document(report), "report": str(page)}, tuple(lines))


def _lines(each: FoundAutomation) -> list[str]:
    state = {True: "on", False: "off", None: ""}[each.enabled]
    name = " ".join(part for part in (each.kind, each.id, each.title, f"({state})" if state else "") if part)
    lines = [f"found    {name}: when {each.trigger or 'not said'}"]
    lines.append(
        f"         rebuild with {each.trigger_counterpart or 'what the customer says: nobody knows this trigger'}"
    )
    for action in each.actions:
        lines.append(f"         does {action.action}: {action.counterpart or 'to be clarified with the customer'}")
    return lines
