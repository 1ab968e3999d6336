"""The spot-check sheet: reports/spot-check.xlsx, written by every reconciliation of a whole load."""

from pathlib import Path

from flitstack.app.gates import now
from flitstack.app.project import Project
from flitstack.app.store import deduped_folder, load_dedupe, load_mapping, mapped_folder
from flitstack.destinations.port import Destination
from flitstack.journal.journal import Journal
from flitstack.planning.document import Plan
from flitstack.reconciling.document import SpotCheck
from flitstack.reconciling.spot_check import spot_check
from flitstack.reconciling.spot_choice import Origins, Way
from flitstack.reconciling.tables import Landed, Place
from flitstack.reporting.document import Heading
from flitstack.reporting.spot_check import write_spot_check
from flitstack.staging.engine.engine import Engine


def spot_check_file(project: Project) -> Path:
    """Where the sheet lies."""
    return project.reports / "spot-check.xlsx"


async def make_spot_check(
    project: Project, plan: Plan, destination: Destination, engine: Engine, journal: Journal, place: Place
) -> SpotCheck:
    """Choose the records and write the sheet; what a person ticked in an earlier one stays."""
    check = await spot_check(plan, destination, engine, Landed.of(journal), _origins(project), place)
    heading = Heading(project.folder.name, project.pack.title, now(), project.environment, plan.url, project.operator)
    labels = {name: source.label or name for name, source in project.pack.objects.items()}
    write_spot_check(check, heading, labels, spot_check_file(project))
    return check


def _origins(project: Project) -> Origins:
    deduped, mapping = load_dedupe(project), load_mapping(project)
    records = {name: deduped_folder(project) / t.parquet for name, t in deduped.tables.items()} if deduped else {}
    routes = [
        Way(
            route.object, route.name, route.table, mapped_folder(project) / route.parquet,
            {column.name: column.field for column in route.columns},
        )
        for route in (mapping.routes if mapping else ())
    ]  # fmt: skip
    return Origins(routes, records, (project.state / "findings" / "map.parquet",))
