"""What this customer's export is like, said in flitstack.yaml: own files and headers, objects it has not, fields never read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from flitstack.errors import Problem, UsageError
from flitstack.packs.types import Pack, SourceObject
from flitstack.staging.recognise import header_key

Headers = Mapping[str, Mapping[str, str]]  # object -> header in the file -> field of the pack
Names = Mapping[str, Sequence[str]]


def fit_pack(pack: Pack, files: Names, headers: Headers, absent: Sequence[str], suppress: Names) -> Pack:
    """The pack with the customer's files and headers before its own. Raises UsageError naming what it has not."""
    problems = [
        Problem("scope-unknown", f"{part} names {name!r}, which is no object", where=f"flitstack.yaml, {part}",
                known=", ".join(pack.objects), do="name an object of the pack")
        for part, names in (("files", files), ("headers", headers), ("absent or awaited", absent), ("suppress", suppress))
        for name in names
        if name not in pack.objects
    ]  # fmt: skip
    fitted = {name: pack.objects[name] for name in headers if name in pack.objects}
    problems += [one for name, source in fitted.items() for one in _header_problems(source, headers[name])]
    if problems:
        raise UsageError(*problems)
    objects = pack.objects | {name: _named(one, headers[name]) for name, one in fitted.items()}
    told = {name: replace(objects[name], told=tuple(patterns)) for name, patterns in files.items()}
    return replace(pack, objects=objects | told)


def _header_problems(source: SourceObject, headers: Mapping[str, str]) -> Iterator[Problem]:
    own = {header_key(field): field for field in source.fields}
    for header, field in headers.items():
        where = f"flitstack.yaml, headers.{source.name}.{header}"
        if field not in source.fields:
            what = f"{source.name} has no field {field!r}"
            yield Problem(
                "scope-unknown", what, where=where, known=", ".join(source.fields), do="name one of its fields"
            )
        elif own.get(header_key(header), field) != field:
            what = f"{header!r} is the name of the field {own[header_key(header)]} itself"
            yield Problem("scope-unknown", what, where=where, do="rename the column in the file and name it here anew")


def _named(source: SourceObject, headers: Mapping[str, str]) -> SourceObject:
    """A header that the customer gives to one field is no other field's any more."""
    given = {header_key(header) for header in headers}
    fields = {
        name: replace(field, headers=(
            *(header for header, wanted in headers.items() if wanted == name),
            *(header for header in field.headers if header_key(header) not in given),
        ))
        for name, field in source.fields.items()
    }  # fmt: skip
    return replace(source, fields=fields)
