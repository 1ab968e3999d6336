"""File and image columns in the metadata API: the columns that come with them, the primary image.

Sources: Microsoft Learn, "Use file column data" (File name column), "Use image column data" (Download URL), "Work with
image column definitions using code".
"""

from dataclasses import replace

from flitstack.catalogue.types import Column
from flitstack.emulator.core import EntityModel
from flitstack.emulator.metadata.bodies import Body, whole, wrong
from flitstack.emulator.metadata.live import Live

_THUMBNAIL = 144  # pixels a side; fixed
# ending of the logical name -> ending of the schema name, type
_COMPANIONS = {
    "File": {"_name": ("_Name", "String")},
    "Image": {"id": ("Id", "Uniqueidentifier"), "_timestamp": ("_Timestamp", "BigInt"), "_url": ("_URL", "String")},
}
MAX_KB = {"File": 10_485_760, "Image": 30_720}
_LENGTHS = {"_name": 255, "_url": 200}


def add_companions(live: Live, table: str, column: Column) -> None:
    """The read-only columns beside a new file or image column; a table's first image is its primary one."""
    for ending, (schema_ending, kind) in _COMPANIONS.get(column.type, {}).items():
        companion = Column(
            name=f"{column.name}{ending}",
            schema_name=f"{column.schema_name}{schema_ending}",
            type=kind,
            max_length=_LENGTHS.get(ending),
            format="Url" if ending == "_url" else "Text" if kind == "String" else None,
            is_logical=kind != "Uniqueidentifier",
        )
        live.environment.put_column(table, companion, {})
    model = live.environment.tables[table]
    if column.type == "Image" and model.table.image_column is None:
        live.environment.define_table(replace(model.table, image_column=column.name))


def drop_companions(live: Live, model: EntityModel, column: Column) -> None:
    """Remove what `add_companions` made; another image becomes the primary one."""
    for ending in _COMPANIONS.get(column.type, {}):
        if f"{column.name}{ending}" in model.custom_columns:
            live.environment.drop_column(model.name, f"{column.name}{ending}")
    if column.type == "Image" and model.table.image_column == column.name:
        others = [c.name for c in model.columns.values() if c.type == "Image" and c.name != column.name]
        table = live.environment.tables[model.name].table
        live.environment.define_table(replace(table, image_column=others[0] if others else None))


def changed_file_facts(
    live: Live, model: EntityModel, column: Column, body: Body, extra: dict[str, object]
) -> dict[str, int]:
    """What PUT changes of a file or image column; `extra` takes CanStoreFullImage, the table another primary image."""
    if column.type not in MAX_KB:
        return {}
    if column.type == "Image":
        if body.get("CanStoreFullImage") is not None:
            extra["can_store_full_image"] = bool(body["CanStoreFullImage"])
        is_primary = body.get("IsPrimaryImage")
        if is_primary is False and model.table.image_column == column.name:
            raise wrong(f"{column.name} is the primary image; make another column the primary one instead.")
        if is_primary and model.table.image_column != column.name:
            live.environment.define_table(replace(model.table, image_column=column.name))
    if body.get("MaxSizeInKB") is None:
        return {}
    return {"max_kb": whole(body, "MaxSizeInKB", 0, 1, MAX_KB[column.type])}


def attribute_of(model: EntityModel, column: Column) -> str | None:
    """The file or image column that a column accompanies."""
    if column.creatable or column.updatable:
        return None
    for kind, endings in _COMPANIONS.items():
        for ending in endings:
            if column.name.endswith(ending):
                owner = model.columns.get(column.name[: -len(ending)])
                if owner is not None and owner.type == kind:
                    return owner.name
    return None


def image_json(live: Live, model: EntityModel, column: Column) -> dict[str, object]:
    """What ImageAttributeMetadata adds."""
    extra = live.extra("column", f"{model.name}.{column.name}")
    return {
        "IsPrimaryImage": model.table.image_column == column.name,
        "CanStoreFullImage": bool(extra.get("can_store_full_image")),
        "MaxHeight": _THUMBNAIL,
        "MaxWidth": _THUMBNAIL,
    }
