"""Reads a pack: pack.yaml and playbook.yaml become types; every mistake is reported in one go, with file and line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flitstack.documents import Lines, read_yaml
from flitstack.errors import Problem, UsageError
from flitstack.packs.types import Decision, Field, Pack, SourceObject

BUNDLED = Path(__file__).parent
FIELD_TYPES = frozenset(
    (
        "text",
        "html",
        "email",
        "phone",
        "url",
        "number",
        "money",
        "date",
        "datetime",
        "boolean",
        "choice",
        "list",
        "file",
    )
)
_FIELD_KEYS = frozenset(
    ("means", "type", "links", "headers", "pattern", "zone", "separator", "values", "sensitive", "required")
)
_OBJECT_KEYS = frozenset(("files", "key", "fields", "optional", "label"))
_PLAYBOOK_KEYS = frozenset(
    (
        "playbook", "format", "phases", "reference", "vocabularies", "decisions", "tables", "routes", "unrouted",
        "automations", "dedupe", "rehearsal", "derived",
    )
)  # fmt: skip


def pack_names() -> list[str]:
    """Names of the bundled packs."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/pack.yaml"))


def load_pack(name_or_path: str | Path) -> Pack:
    """A bundled pack by name, or a folder with pack.yaml and playbook.yaml. Raises UsageError listing every mistake."""
    folder = _folder(name_or_path)
    data, lines = read_yaml(folder / "pack.yaml")
    playbook, playbook_lines = _playbook(folder)
    problems: list[Problem] = []
    objects = {str(n): _object(str(n), o, lines, problems, folder) for n, o in (data.get("objects") or {}).items()}
    decisions = {
        str(name): _decision(str(name), entry, playbook_lines, problems, folder)
        for name, entry in (playbook.get("decisions") or {}).items()
    }
    for key in sorted(set(playbook) - _PLAYBOOK_KEYS):
        problems.append(
            _unknown(
                f"{key!r} is no part of a playbook", folder / "playbook.yaml", playbook_lines, (key,), _PLAYBOOK_KEYS
            )
        )
    _check_links(objects, lines, problems, folder)
    _check_routes(playbook, objects, playbook_lines, problems, folder)
    if not objects:
        problems.append(
            Problem(
                "pack-empty",
                "the pack names no objects",
                where=f"{folder.name}/pack.yaml:1",
                do="list them under objects:",
            )
        )
    if problems:
        raise UsageError(*problems)
    return Pack(
        str(data.get("pack", folder.name)), str(data.get("title", folder.name)), objects, decisions, playbook, folder
    )


def _folder(name_or_path: str | Path) -> Path:
    bundled = BUNDLED / str(name_or_path)
    for folder in (bundled, Path(name_or_path)):
        if (folder / "pack.yaml").exists():
            return folder
    raise UsageError(
        Problem(
            "pack-unknown",
            f"there is no pack {str(name_or_path)!r}",
            known=", ".join(pack_names()),
            do="name one of these, or a folder that holds a pack.yaml",
        )
    )


def _playbook(folder: Path) -> tuple[dict[str, Any], Lines]:
    path = folder / "playbook.yaml"
    if not path.exists():
        return {}, {}
    _, lines = read_yaml(path)
    # Plain data for the consumers: no comment-keeping node types, anchors and merges resolved.
    playbook = _plain_yaml(path)
    rules = folder / "dedupe.yaml"
    if rules.exists():
        playbook["dedupe"] = _plain_yaml(rules)
    return playbook, lines


def _plain_yaml(path: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {})


def _object(name: str, entry: Mapping[str, Any], lines: Lines, problems: list[Problem], folder: Path) -> SourceObject:
    path, place = folder / "pack.yaml", ("objects", name)
    for key in sorted(set(entry) - _OBJECT_KEYS):
        problems.append(_unknown(f"{key!r} is no part of an object", path, lines, (*place, key), _OBJECT_KEYS))
    fields = {
        str(field): _field(str(field), details or {}, lines, (*place, "fields", str(field)), problems, path)
        for field, details in (entry.get("fields") or {}).items()
    }
    key = str(entry.get("key", ""))
    if key not in fields:
        problems.append(
            Problem(
                "pack-key",
                f"object {name}: key {key!r} is not one of its fields",
                where=_at(path, lines, place),
                do="name a field as key",
            )
        )
    return SourceObject(
        name,
        tuple(entry.get("files") or ()),
        key,
        fields,
        bool(entry.get("optional", False)),
        str(entry.get("label", name)),
    )


def _field(
    name: str, entry: Mapping[str, Any], lines: Lines, place: tuple[str, ...], problems: list[Problem], path: Path
) -> Field:
    for key in sorted(set(entry) - _FIELD_KEYS):
        problems.append(_unknown(f"{key!r} is no part of a field", path, lines, (*place, key), _FIELD_KEYS))
    kind = str(entry.get("type", "text"))
    if kind not in FIELD_TYPES:
        problems.append(_unknown(f"field {name}: {kind!r} is no type", path, lines, place, FIELD_TYPES))
    return Field(
        name=name,
        means=str(entry.get("means", "")),
        type=kind,
        links=str(entry.get("links", "")),
        headers=tuple(str(header) for header in entry.get("headers", ())),
        pattern=str(entry.get("pattern", "")),
        zone=str(entry.get("zone", "")),
        separator=str(entry.get("separator", "")),
        values=tuple(str(value) for value in entry.get("values", ())),
        sensitive=bool(entry.get("sensitive", False)),
        required=bool(entry.get("required", False)),
    )


def _decision(name: str, entry: Mapping[str, Any], lines: Lines, problems: list[Problem], folder: Path) -> Decision:
    options = {str(option): str(meaning) for option, meaning in (entry.get("options") or {}).items()}
    default = entry.get("default")
    if options and str(default) not in options:
        problems.append(
            Problem(
                "decision-default",
                f"decision {name}: default {default!r} is not one of its options",
                where=_at(folder / "playbook.yaml", lines, ("decisions", name)),
                known=", ".join(options),
                do="make one of the options the default",
            )
        )
    return Decision(name, str(entry.get("question", name)), default, options, str(entry.get("kind", "choice")))


def _check_links(objects: Mapping[str, SourceObject], lines: Lines, problems: list[Problem], folder: Path) -> None:
    for name, source in objects.items():
        for field in source.fields.values():
            if field.links and field.links not in objects:
                where = _at(folder / "pack.yaml", lines, ("objects", name, "fields", field.name))
                problems.append(
                    Problem(
                        "pack-link",
                        f"{name}.{field.name} links to {field.links!r}, which is no object",
                        where=where,
                        known=", ".join(objects),
                        do="name an object",
                    )
                )


def _check_routes(
    playbook: Mapping[str, Any],
    objects: Mapping[str, SourceObject],
    lines: Lines,
    problems: list[Problem],
    folder: Path,
) -> None:
    path = folder / "playbook.yaml"
    for name, routes in (playbook.get("routes") or {}).items():
        if name not in objects:
            problems.append(
                _unknown(
                    f"routes for {name!r}, which is no object", path, lines, ("routes", str(name)), frozenset(objects)
                )
            )
        for place, route in enumerate(routes):
            if route.get("phase") not in (playbook.get("phases") or ()):
                problems.append(
                    _unknown(
                        f"route {place + 1} of {name}: phase {route.get('phase')!r} is not among the phases",
                        path,
                        lines,
                        ("routes", str(name), str(place)),
                        frozenset(playbook.get("phases") or ()),
                    )
                )


def _unknown(what: str, path: Path, lines: Lines, place: tuple[str, ...], known: frozenset[str]) -> Problem:
    return Problem(
        "pack-unknown-word",
        what,
        where=_at(path, lines, place),
        known=", ".join(sorted(known)),
        do="use one of the known words",
    )


def _at(path: Path, lines: Lines, place: tuple[str, ...]) -> str:
    while place and place not in lines:
        place = place[:-1]
    return f"{path.parent.name}/{path.name}:{lines.get(place, 1)}"
