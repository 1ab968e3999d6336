"""Deleting a solution: an unmanaged one is a mere list, a managed one takes along what it brought.

Source: Microsoft Learn, "Solution concepts" (uninstalling solutions).
"""

from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.choices import drop_global_choice
from flitstack.emulator.metadata.columns import drop_column
from flitstack.emulator.metadata.keys import drop_key
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.relationship_parse import drop_relationship
from flitstack.emulator.metadata.tables import drop_table
from flitstack.emulator.solutions.components import drop_component, listed
from flitstack.emulator.solutions.importing import CREATED
from flitstack.emulator.solutions.manifest import CHOICE, COLUMN, KEY, RELATIONSHIP, TABLE, Component
from flitstack.emulator.solutions.rows import Solution

# What stands on others goes first.
_ORDER = (KEY, RELATIONSHIP, COLUMN, TABLE, CHOICE)


def forget_solution(live: Live, solution: Solution) -> None:
    """What is kept about a solution whose row is being deleted. Refusal 400 while others need what would go."""
    for item in listed(live, solution.unique_name):
        drop_component(live, item)
    name = solution.unique_name.lower()
    created = live.documents(CREATED).get(name, {}).get("components")
    if not isinstance(created, list):
        return
    live.environment.drop_document(CREATED, name)
    still_held = {(item.component.kind, item.component.name) for item in listed(live)}
    components = [Component(kind, part) for kind, part in created if (kind, part) not in still_held]
    for component in sorted(components, key=lambda one: _ORDER.index(one.kind)):
        try:
            _drop(live, component)
        except Refusal as refusal:
            raise Refusal(
                400, "0x8004F01D", f"The solution {solution.unique_name} cannot be uninstalled: {refusal.message}"
            ) from refusal
        live.forget()


def _drop(live: Live, component: Component) -> None:
    """Remove one definition, unless it went with another."""
    environment = live.environment
    table, _, part = component.name.partition(".")
    model = environment.tables.get(table)
    if component.kind == TABLE and model is not None:
        drop_table(live, model)
    elif component.kind == COLUMN and model is not None and part in model.columns:
        drop_column(live, model, model.columns[part])
    elif component.kind == KEY and model is not None:
        drop_key(environment, model, lambda key: key["LogicalName"] == part, live)
    elif component.kind == RELATIONSHIP:
        if component.name in environment.one_to_many or component.name in environment.many_to_many:
            drop_relationship(live, component.name)
    elif component.kind == CHOICE and component.name in live.documents("global_choice"):
        drop_global_choice(live, component.name)
