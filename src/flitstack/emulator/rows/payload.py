"""A JSON object becomes a draft of a row: checked values, references to resolve, nested rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from flitstack.catalogue.types import Column
from flitstack.emulator.checkers import Checker, Stored, checker_for, wrong_type
from flitstack.emulator.ddl import is_polymorphic, type_column
from flitstack.emulator.files.columns import read_value
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.rows.references import Target, parse_target
from flitstack.emulator.schema import CollectionNav, EntityModel, LookupNav
from flitstack.emulator.store import Store

BIND = "@odata.bind"


@dataclass(slots=True)
class Draft:
    """One row on its way in.

    `values` is by stored column (polymorphic companions included), `targets` what it points to, `nested` the objects
    under collection navigations, `parents` those under single-valued ones, `links` references bound to collections.
    """

    values: dict[str, Stored] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)
    nested: list[tuple[CollectionNav, list[dict[str, object]]]] = field(default_factory=list)
    links: list[tuple[CollectionNav, list[Target]]] = field(default_factory=list)
    parents: list[tuple[LookupNav, dict[str, object]]] = field(default_factory=list)

    def point(self, model: EntityModel, column: str, target: Target | None) -> None:
        """Set or clear a lookup."""
        self.values[column] = target.id if target else None
        if is_polymorphic(model.columns[column]):
            self.values[type_column(column)] = target.model.name if target else None


@dataclass(frozen=True, slots=True)
class RowParser:
    """Compiled once per table and verb: what each property does."""

    store: Store
    model: EntityModel
    checkers: Mapping[str, Checker]
    ignored: frozenset[str]
    unsupported: Mapping[str, str]
    files: Mapping[str, Column]

    def parse(self, body: Mapping[str, object], content_ids: Mapping[str, str]) -> Draft:
        """Check every property; the first fault is raised, as the platform does."""
        draft = Draft()
        values, checkers = draft.values, self.checkers
        for name, value in body.items():
            check = checkers.get(name)
            if check is None:
                self._unusual(draft, name, value, content_ids)
            else:
                values[name] = None if value is None else check(value)
        return draft

    def _unusual(self, draft: Draft, name: str, value: object, content_ids: Mapping[str, str]) -> None:
        if name.endswith(BIND):
            self._bind(draft, name[: -len(BIND)], value, content_ids)
        elif "@" in name or name in self.ignored or (value is None and name in self.unsupported):
            return
        elif name in self.files:
            draft.values[name] = read_value(self.model, self.files[name], value)
        elif name in self.unsupported:
            raise not_implemented(f"a value for '{self.model.name}.{name}' ({self.unsupported[name]})")
        elif name in self.model.lookups:
            self._clear_or_nest(draft, self.model.lookups[name], value)
        elif name in self.model.collections:
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                raise wrong_type(self.model.table.entity_set, name, value, "Collection(entity)")
            draft.nested.append((self.model.collections[name], value))
        elif name in self.model.value_properties:
            raise Refusal(
                400,
                "0x80060888",
                "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.",
            )
        else:
            raise Refusal(
                400,
                "0x0",
                "An error occurred while validating input parameters: Microsoft.OData.ODataException: Invalid property "
                f"'{name}' was found in entity 'Microsoft.Dynamics.CRM.{self.model.name}'. ---> Invalid property",
            )

    def _bind(self, draft: Draft, name: str, value: object, content_ids: Mapping[str, str]) -> None:
        if name in self.model.collections:
            texts = value if isinstance(value, list) else [value]
            found = [parse_target(self.store, text, content_ids) for text in texts]
            draft.links.append((self.model.collections[name], found))
            draft.targets.extend(found)
            return
        nav = self.model.lookups.get(name)
        if nav is None:
            raise Refusal(
                400,
                "0x80048d19",
                f"Error identified in Payload provided by the user for Entity :'{self.model.table.entity_set}' ----> "
                f"InnerException : An undeclared property '{name}' which only has property annotations in the payload "
                "but no property value was found in the payload.",
            )
        if value is None:
            self._set(draft, nav, None)
            return
        target = parse_target(self.store, value, content_ids)
        if target.model.name not in nav.targets:
            raise Refusal(
                400,
                "0x80048d19",
                f"Error identified in Payload provided by the user for Entity :'{self.model.table.entity_set}' ----> "
                f"InnerException : '{name}' does not take a row of '{target.model.table.entity_set}'.",
            )
        if nav.column not in self.ignored:
            draft.targets.append(target)
        self._set(draft, nav, target)

    def _set(self, draft: Draft, nav: LookupNav, target: Target | None) -> None:
        if nav.column not in self.ignored:
            draft.point(self.model, nav.column, target)

    def _clear_or_nest(self, draft: Draft, nav: LookupNav, value: object) -> None:
        if value is None:
            self._set(draft, nav, None)
        elif isinstance(value, dict):
            draft.parents.append((nav, value))
        else:
            raise wrong_type(self.model.table.entity_set, nav.name, value, "entity")


def parser(store: Store, model: EntityModel, *, is_create: bool) -> RowParser:
    """The compiled parser of a table, for creating or updating."""
    slot = ("parser", model.name, is_create)
    found = store.compiled.get(slot)
    if isinstance(found, RowParser):
        return found
    entity_set = model.table.entity_set
    checkers: dict[str, Checker] = {}
    ignored, unsupported, files = set(), {}, {}
    for column in model.columns.values():
        if not writable(model, column, is_create=is_create):
            if column.is_web_api:
                ignored.add(column.name)
        elif column.type in {"File", "Image"}:
            files[column.name] = column
        elif column.name not in model.stored:
            if column.is_web_api:
                unsupported[column.name] = column.type
        elif not column.targets or column.type not in {"Lookup", "Customer", "Owner"}:
            checkers[column.name] = checker_for(model.name, entity_set, column)
    made = RowParser(store, model, checkers, frozenset(ignored), unsupported, files)
    store.compiled[slot] = made
    return made


def writable(model: EntityModel, column: Column, *, is_create: bool) -> bool:
    """Whether a request may set the column; a row's own id may always be named."""
    if column.name == model.table.id_column:
        return True
    return column.creatable if is_create else column.updatable


def read_object(body: bytes) -> dict[str, object]:
    """The JSON object of a request body; 400 when it is none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "0x80048d19", f"Error identified in Payload provided by the user: {error}") from error
    if not isinstance(parsed, dict):
        raise Refusal(400, "0x80048d19", "Error identified in Payload provided by the user: a JSON object is expected.")
    return parsed
