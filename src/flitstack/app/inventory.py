"""What the source automates, put together: definitions of the export, what rebuilds them, and what has to be asked."""

from collections.abc import Mapping

from flitstack.app.project import Project
from flitstack.app.steps.findings import findings_source
from flitstack.app.store import load_mapping, staged_folder
from flitstack.mapping.automations import Action, Definition, read_definitions
from flitstack.packs.automations import Automation, counterpart_of, named_object, read_automations
from flitstack.reporting.document import (
    AskedAutomation,
    FoundAutomation,
    Heading,
    InventoryReport,
    LeftBehind,
    RebuiltAction,
)
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine


def make_inventory(engine: Engine, project: Project, staged: StagingDocument, heading: Heading) -> InventoryReport:
    """Read what the export carries of each declared automation; what it does not carry is asked."""
    tables = _tables_of(project)
    found: list[FoundAutomation] = []
    asked: list[AskedAutomation] = []
    for entry in read_automations(project.pack.playbook):
        read: tuple[Definition, ...] = ()
        if entry.object:
            folder = staged_folder(project)
            read = read_definitions(engine, project.pack, entry, staged, folder, project.decisions)
        found += [_rebuilt(project, entry, definition, tables) for definition in read]
        if not read:
            asked.append(AskedAutomation(entry.name, entry.why, entry.question, entry.counterpart, entry.by_hand))
    left = engine.rows(
        f"SELECT DISTINCT file, what, \"do\" FROM {findings_source(project)} WHERE code = 'not_portable' ORDER BY file"
    )
    behind = tuple(LeftBehind(str(file), str(what), str(do)) for file, what, do in left)
    return InventoryReport(heading, tuple(found), tuple(asked), behind)


def _rebuilt(
    project: Project, entry: Automation, definition: Definition, tables: Mapping[str, tuple[str, ...]]
) -> FoundAutomation:
    watched = named_object(definition.on or definition.trigger, project.pack.objects)
    trigger = counterpart_of("triggers", definition.trigger)
    actions = tuple(_action(action) for action in definition.actions)
    return FoundAutomation(
        kind=entry.name,
        id=definition.id,
        title=definition.title,
        enabled=definition.enabled,
        object=watched,
        tables=tables.get(watched, ()),
        trigger=" ".join(part for part in (definition.on, definition.trigger) if part),
        condition=definition.condition,
        trigger_counterpart=trigger.counterpart if trigger else "",
        trigger_by_hand=trigger.by_hand if trigger else "",
        actions=actions,
        is_recognised=trigger is not None and bool(actions) and all(action.counterpart for action in actions),
        file=definition.file,
        record=definition.record,
    )


def _action(action: Action) -> RebuiltAction:
    known = counterpart_of("actions", action.action)
    return RebuiltAction(
        action.action, action.detail, known.counterpart if known else "", known.by_hand if known else ""
    )


def _tables_of(project: Project) -> dict[str, tuple[str, ...]]:
    """Destination tables by object: those of the map that was run, before that those the playbook names."""
    mapped = load_mapping(project)
    named: dict[str, list[str]] = {}
    if mapped is not None:
        for ran in mapped.routes:
            if ran.is_primary:
                named.setdefault(ran.object, []).append(ran.table)
    else:
        for name, routes in (project.pack.playbook.get("routes") or {}).items():
            own = [str(route["table"]) for route in routes if not route.get("also")]
            named[name] = [
                f"{project.settings.prefix}_{table[2:]}" if table.startswith("x_") else table for table in own
            ]
    return {name: tuple(dict.fromkeys(tables)) for name, tables in named.items()}
