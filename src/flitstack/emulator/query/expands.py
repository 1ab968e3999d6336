"""What `$expand` may combine, and the links to the rest of an expanded collection.

Source: Microsoft Learn, "Join tables using OData".
"""

from urllib.parse import quote

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.options import Expand, Options
from flitstack.emulator.query.terms import unknown_property
from flitstack.emulator.schema import EntityModel, Schema


def is_nested(options: Options) -> bool:
    """Whether an expand of these options has expands of its own."""
    return any(expand.options.expand for expand in options.expand)


def check_expands(schema: Schema, model: EntityModel, options: Options, *, nested: bool) -> None:
    """Refuse what the platform refuses (400), and combinations with N:N that it does not support (501)."""
    kinds = [_check(schema, model, expand, nested=nested) for expand in options.expand]
    if any(kinds) and (nested or not all(kinds)):
        raise not_implemented("a nested $expand with an N:N relationship, or one beside other relationships")
    for expand in options.expand:
        nav = model.lookups.get(expand.name)
        tables = nav.targets if nav is not None else (model.collections[expand.name].table,)
        for table in tables if expand.options.expand else ():
            if table in schema.tables:
                check_expands(schema, schema.tables[table], expand.options, nested=True)


def _check(schema: Schema, model: EntityModel, expand: Expand, *, nested: bool) -> bool:
    """Whether the relationship is N:N."""
    options, is_lookup = expand.options, expand.name in model.lookups
    if not is_lookup and expand.name not in model.collections:
        raise unknown_property(model, expand.name)
    if (is_lookup or nested) and (options.order or options.top is not None):
        raise Refusal(
            400,
            "0x80060888",
            "Only $select and $filter clause can be provided while doing $expand on many-to-one relationship or "
            "nested one-to-many relationship.",
        )
    if is_lookup:
        if options.filter is not None:
            raise not_implemented("$filter in the $expand of a single-valued navigation property")
        return False
    if expand.links_only:
        raise Refusal(400, "0x80060888", "Expand with $ref is only supported on lookup type navigation property.")
    nav = model.collections[expand.name]
    if nav.table not in schema.tables:
        raise not_implemented(f"table '{nav.table}'")
    return nav.pairs is not None


def rest_of(collection_url: str, expand: Expand, skiptoken: str | None) -> str:
    """The `@odata.nextLink` of an expanded collection: its options again and, when it is paged, where to go on."""
    options = [(name, value) for name, value in expand.text if skiptoken is None or name != "$top"]
    options += [] if skiptoken is None else [("$skiptoken", skiptoken)]
    text = "&".join(f"{name}={quote(value, safe=chr(39) + '$(),/:@;')}" for name, value in options)
    return f"{collection_url}?{text}" if text else collection_url


def described_expands(options: Options) -> list[str]:
    """Expands as contexts name them: `primarycontactid(fullname,createdby(fullname))`."""
    names: list[str] = []
    for expand in options.expand:
        if expand.links_only:
            names += [expand.name, f"{expand.name}/$ref()"]
            continue
        inner = [*(expand.options.select or ()), *described_expands(expand.options)]
        names.append(f"{expand.name}({','.join(inner)})")
    return names
