"""`flitstack new`: a project folder from a pack, an export and the customer's scoping choices."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from flitstack.app.decisions import read_option
from flitstack.app.gates import now
from flitstack.app.project import EnvironmentSettings, ProjectSettings, login_name, write_settings
from flitstack.app.result import Result
from flitstack.documents import write_yaml
from flitstack.errors import Problem, UsageError
from flitstack.packs.automations import read_automations
from flitstack.packs.read import load_pack
from flitstack.packs.types import Pack


def new(
    folder: Path,
    pack_name: str,
    export: Path,
    *,
    url: str = "",
    sandbox_url: str = "",
    scoping: Path | None = None,
    prefix: str = "flit",
    licence: str = "enterprise",
    operator: str = "",
) -> Result:
    """Make the folder. Raises UsageError when it holds a project already or something named does not exist."""
    pack = load_pack(pack_name)
    _refuse(folder, export)
    folder.mkdir(parents=True, exist_ok=True)
    environments = {}
    if url:
        environments["production"] = EnvironmentSettings(url=url.rstrip("/"), licence=licence)
    if sandbox_url:
        environments["sandbox"] = EnvironmentSettings(url=sandbox_url.rstrip("/"), licence=licence)
    settings = ProjectSettings(
        pack=pack_name, export=_relative(export, folder), prefix=prefix, environments=environments
    )
    write_settings(folder, settings)
    choices = read_scoping(scoping) if scoping else {}
    decisions, notes = decide(pack, choices, operator or login_name(), scoping.name if scoping else "")
    write_yaml(folder / "decisions.yaml", {"format": 1, "decisions": decisions})
    (folder / "export-request.md").write_text(export_request(pack), encoding="utf-8")
    (folder / ".gitignore").write_text(".flitstack/\n", encoding="utf-8")
    document = {
        "project": str(folder.resolve()),
        "pack": pack.name,
        "export": str(export.resolve()),
        "environments": {name: e.url for name, e in environments.items()},
        "decisions": {name: entry["option"] for name, entry in decisions.items()},
        "notes": notes,
    }
    taken = sum(1 for entry in decisions.values() if entry["by"] != "default")
    lines = [
        f"project {folder} for {pack.title}: {len(pack.objects)} objects, {len(decisions)} decisions, {taken} taken from scoping",
        *notes,
    ]
    return Result(document, tuple(lines), next=f"flitstack stage --project {folder}")


def read_scoping(path: Path) -> dict[str, Any]:
    """The customer's choices as a flat mapping of decision name to option."""
    try:
        data = orjson.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(
            Problem("no-scoping", f"there is no file {path}", do="name the scoping file with --scoping")
        ) from error
    except orjson.JSONDecodeError as error:
        raise UsageError(
            Problem(
                "scoping-unreadable",
                f"{path.name} is not JSON: {error}",
                where=f"{path.name}:{error.lineno}",
                do="correct the file",
            )
        ) from error
    if not isinstance(data, dict):
        raise UsageError(Problem("scoping-unreadable", f"{path.name} must be one JSON object", do="correct the file"))
    return data


def decide(pack: Pack, choices: Mapping[str, Any], by: str, source: str) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Decisions with their option, who took it and when; defaults are marked as such. Second: notes on choices unused."""
    entries: dict[str, dict[str, Any]] = {}
    problems = []
    for name, decision in pack.decisions.items():
        if name not in choices:
            entries[name] = {"option": decision.default, "by": "default", "question": decision.question}
            continue
        option, problem = read_option(decision, choices[name], source)
        if problem:
            problems.append(problem)
        entries[name] = {
            "option": option,
            "by": by,
            "at": now(),
            "why": f"from {source}",
            "question": decision.question,
        }
    if problems:
        raise UsageError(*problems)
    notes = [
        f"scoping: {name!r} is no decision of this pack; kept as it is"
        for name in choices
        if name not in pack.decisions
    ]
    for name in choices:
        if name not in pack.decisions:
            entries[name] = {
                "option": choices[name],
                "by": by,
                "at": now(),
                "why": f"from {source}, not asked by the pack",
            }
    return entries, notes


def export_request(pack: Pack) -> str:
    """What to ask the source system's owner for: files, columns, formats, sample size."""
    lines = [
        f"# Export request: {pack.title}",
        "",
        f"Please export everything {pack.title} holds for us. Its API is not publicly documented, so we work from files.",
        "CSV (UTF-8, with header), Excel or JSON; one file an object or one workbook; nothing filtered; archived records too.",
        "First a sample of 50 to 100 records of each object, then, on the agreed day, all of it.",
        "",
    ]
    for source in pack.objects.values():
        lines += [
            f"## {source.label or source.name}",
            "",
            f"File such as `{source.files[0]}`; one row a record, with these columns:",
            "",
        ]
        for name, item in source.fields.items():
            linked = f", points to {item.links}" if item.links else ""
            lines.append(f"- {name} ({item.type}{linked}{', needed' if name == source.key or item.required else ''})")
        lines += ["- every other column there is, custom fields above all", ""]
    questions = [entry for entry in read_automations(pack.playbook) if entry.question]
    if questions:
        lines += ["## Automations", "", "They do not move; we list them with what rebuilds them. Please answer:", ""]
        lines += [f"- {entry.name}: {entry.question}" for entry in questions]
        lines.append("")
    return "\n".join(lines)


def _refuse(folder: Path, export: Path) -> None:
    problems = []
    if (folder / "flitstack.yaml").exists():
        problems.append(Problem("project-exists", f"{folder} holds a project already", do="choose another folder"))
    if not export.is_dir() and not export.is_file():
        problems.append(
            Problem("no-export", f"there is no export at {export}", do="name the folder the export files lie in")
        )
    if problems:
        raise UsageError(*problems)


def _relative(export: Path, folder: Path) -> str:
    absolute = export.resolve()
    relative = os.path.relpath(absolute, folder.resolve())
    return str(absolute) if relative.startswith("..") else relative
