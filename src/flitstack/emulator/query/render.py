"""Stored rows as OData JSON objects: property names, GUID texts, annotations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flitstack.catalogue.types import Column
from flitstack.emulator.ddl import is_polymorphic, quoted, type_column
from flitstack.emulator.files.columns import thumbnail_text
from flitstack.emulator.messages import Request
from flitstack.emulator.query.labels import LookupNames, formatter
from flitstack.emulator.query.terms import unknown_property
from flitstack.emulator.schema import UNBOUND_LOOKUPS, EntityModel
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Work

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
LOOKUP_NAV = "Microsoft.Dynamics.CRM.associatednavigationproperty"
Row = dict[str, object]
Raw = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Annotations:
    """Which annotations the client asked for."""

    patterns: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: Request) -> "Annotations":
        """From `Prefer: odata.include-annotations="..."`."""
        text = request.prefers("odata.include-annotations") or ""
        return cls(tuple(item.strip() for item in text.split(",") if item.strip()))

    def wants(self, name: str) -> bool:
        """Whether a full annotation name is asked for (exact, or by a pattern ending in `*`)."""
        return any(p == name or (p.endswith("*") and name.startswith(p[:-1])) for p in self.patterns)


@dataclass(frozen=True, slots=True)
class Projection:
    """The properties of a result, and the SQLite columns they need."""

    model: EntityModel
    columns: tuple[Column, ...]
    images: tuple[Column, ...] = ()

    def sql_names(self) -> tuple[str, ...]:
        """Stored columns to read: selected ones, id, version, companions of polymorphic lookups."""
        names = {self.model.table.id_column: None}
        if "versionnumber" in self.model.stored:
            names["versionnumber"] = None
        for column in self.columns:
            names[column.name] = None
            if is_polymorphic(column):
                names[type_column(column.name)] = None
        for image in self.images:
            names[f"{image.name}id"] = None
        return tuple(names)

    def sql(self, alias: str) -> str:
        """The column list of a SELECT."""
        return ", ".join(f"{alias}.{quoted(name)}" for name in self.sql_names())


def project(model: EntityModel, select: Sequence[str] | None) -> Projection:
    """The columns of `$select` (all readable ones for None); 400 for a name that is no property."""
    if select is None:
        return Projection(model, tuple(c for c in model.stored.values() if c.readable))
    chosen: dict[str, Column] = {}
    images: list[Column] = []
    for name in select:
        nav = model.lookups.get(name)
        column = model.stored.get(model.value_properties.get(name) or (nav.column if nav else name))
        if column is None or not column.readable:
            image = model.columns.get(name)
            if image is not None and image.type == "Image" and f"{name}id" in model.stored:
                images.append(image)
                continue
            if name in model.collections or (name in model.columns and model.columns[name].is_web_api):
                continue
            raise unknown_property(model, name)
        chosen[column.name] = column
        if column.type == "Money" and "transactioncurrencyid" in model.stored:
            chosen.setdefault("transactioncurrencyid", model.stored["transactioncurrencyid"])
    return Projection(model, tuple(chosen.values()), tuple(images))


def property_name(column: Column) -> str:
    """Name of the property that shows a column."""
    return f"_{column.name}_value" if column.type in UNBOUND_LOOKUPS else column.name


def etag_of(raw: Raw) -> str | None:
    """`W/"123"`, None for tables without row versions."""
    version = raw.get("versionnumber")
    return None if version is None else f'W/"{version}"'


def render_rows(work: Work, projection: Projection, raws: Sequence[Raw], annotations: Annotations) -> list[Row]:
    """JSON-ready objects in the order of the raw rows."""
    model = projection.model
    id_column = model.table.id_column
    plan = [(c.name, property_name(c), converter(c)) for c in projection.columns if c.name != id_column]
    rows: list[Row] = []
    for raw in raws:
        row: Row = {}
        etag = etag_of(raw)
        if etag is not None:
            row["@odata.etag"] = etag
        for stored, shown, convert in plan:
            value = raw[stored]
            row[shown] = value if value is None or convert is None else convert(value)
        for image in projection.images:
            row[image.name] = thumbnail_text(work, raw[f"{image.name}id"])
        row[id_column] = guid_text(blob(raw[id_column]))
        rows.append(row)
    if annotations.patterns:
        _annotate(work, projection, raws, rows, annotations)
    return rows


def converter(column: Column) -> Callable[[object], object] | None:
    if column.type == "Boolean":
        return bool
    if column.type in UNBOUND_LOOKUPS or column.type in {"Uniqueidentifier", "File"}:
        return lambda value: guid_text(blob(value))
    return None


def blob(value: object) -> bytes:
    """A stored GUID, as the type checker cannot know it."""
    if not isinstance(value, bytes):
        raise TypeError(f"a stored GUID is bytes, not {type(value).__name__}")
    return value


def _annotate(
    work: Work, projection: Projection, raws: Sequence[Raw], rows: list[Row], annotations: Annotations
) -> None:
    names = LookupNames(work)
    for column in projection.columns:
        shown = property_name(column)
        if column.type in UNBOUND_LOOKUPS:
            kinds = [_target_table(column, raw) for raw in raws]
            found = names.of([(k, raw[column.name]) for k, raw in zip(kinds, raws, strict=True) if k])
            for kind, raw, row in zip(kinds, raws, rows, strict=True):
                if kind is not None:
                    annotate_lookup(row, shown, column, kind, found.get(blob(raw[column.name])), annotations)
        elif annotations.wants(FORMATTED):
            label = formatter(work, column)
            if label is not None:
                for raw, row in zip(raws, rows, strict=True):
                    if raw[column.name] is not None:
                        row[f"{shown}@{FORMATTED}"] = label(raw[column.name])


def _target_table(column: Column, raw: Raw) -> str | None:
    if raw[column.name] is None:
        return None
    kind = (
        raw.get(type_column(column.name)) if is_polymorphic(column) else column.targets[0] if column.targets else None
    )
    return str(kind) if kind is not None else None


def annotate_lookup(
    row: Row, shown: str, column: Column, kind: str, name: str | None, annotations: Annotations
) -> None:
    if name is not None and annotations.wants(FORMATTED):
        row[f"{shown}@{FORMATTED}"] = name
    if annotations.wants(LOOKUP_TABLE):
        row[f"{shown}@{LOOKUP_TABLE}"] = kind
    nav = column.navigation.get(kind)
    if nav is not None and annotations.wants(LOOKUP_NAV):
        row[f"{shown}@{LOOKUP_NAV}"] = nav
