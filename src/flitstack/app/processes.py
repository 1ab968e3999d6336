"""Business process flows of the environment met with the pipelines, and refused where nothing could be followed.

Where a definition does not tell the order of its stages (process_definitions.py), people say it in decisions.yaml.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flitstack.app.process_definitions import Definition
from flitstack.app.project import Project
from flitstack.catalogue.types import Table
from flitstack.documents import load_json, save_json
from flitstack.errors import Problem, UsageError
from flitstack.mapping.processes import Following, Process, Stage
from flitstack.packs.processes import FOLLOW, ProcessRule, read_process_rule
from flitstack.planning.document import Plan
from flitstack.planning.instances import Instances

_CHOSEN = "processid"  # of a record that is made
_ASK = "have an administrator make and activate one (Power Automate, Business process flows), or choose {}: none"


def wanted_rule(project: Project) -> ProcessRule | None:
    """What the playbook says of processes, where the decision asks for them."""
    rule = read_process_rule(project.pack.playbook)
    return rule if rule is not None and project.decisions.get(rule.decision) == FOLLOW else None


def settle_following(
    project: Project, found: Sequence[Definition], live: Mapping[str, Table | None]
) -> Following | None:
    """What the records of this project follow, None where nobody asked; remembered for the check. Raises UsageError."""
    rule = wanted_rule(project)
    if rule is None:
        facts_path(project).unlink(missing_ok=True)
        return None
    following, problems = follow(rule, project.decisions, found, live)
    save_json(facts_path(project), _facts(found, following, problems))
    if problems:
        raise UsageError(*problems)
    return following


def instances_of(following: Following | None) -> tuple[Instances, ...]:
    """Tables of instances that a plan fills."""
    if following is None:
        return ()
    return tuple(Instances(one.table, one.record, following.rule.table) for one in following.processes)


def refuse_late(project: Project, following: Following | None, loaded: Plan) -> None:
    """Raise UsageError when the decision was another one when the records were loaded: how a record follows a process is
    settled when it is made."""
    rule = read_process_rule(project.pack.playbook)
    sends = [send for send in loaded.tables if rule is not None and send.table == rule.table]
    was_followed = any(column.name == _CHOSEN for send in sends for column in send.columns)
    if rule is None or not sends or was_followed == (following is not None):
        return
    was = FOLLOW if was_followed else "none"
    what = f"the rows of {rule.table} were loaded with {rule.decision}: {was}"
    do = f"set {rule.decision}: {was} in decisions.yaml again; or roll back, then plan and load anew"
    raise UsageError(Problem("process-late", what, do=do))


def followed_tables(project: Project) -> list[str]:
    """Tables of instances that the last plan filled; the map does not name them."""
    path = facts_path(project)
    return list(load_json(path, dict).get("followed", {})) if path.exists() else []


def facts_path(project: Project) -> Path:
    """What the last plan learnt of the environment's processes."""
    return project.env_state / "processes.json"


def _facts(found: Sequence[Definition], following: Following | None, problems: Sequence[Problem]) -> dict[str, Any]:
    followed = {one.table: one.name for one in following.processes} if following else {}
    active = [one.name for one in found if one.is_active]
    return {
        "active": active,
        "inactive": [one.name for one in found if not one.is_active],
        "followed": followed,
        "problems": [problem.what for problem in problems],
    }


def follow(
    rule: ProcessRule, decisions: Mapping[str, Any], found: Sequence[Definition], live: Mapping[str, Table | None]
) -> tuple[Following | None, list[Problem]]:
    """What the environment's processes and the decisions make of the rule; or what is wrong with it."""
    said, problems = _said(rule, decisions)
    problems += _wrong_orders(rule, said.get(rule.order, {}), found)
    if problems:
        return None, problems
    active = [one for one in found if one.is_active and live.get(one.table) is not None]
    if not active:
        drafts = ", ".join(one.name for one in found)
        what = f"no business process flow of {rule.table} is active"
        return None, [Problem("process-missing", what, known=f"not active: {drafts}" if drafts else "none",
                              do=_ASK.format(rule.decision))]  # fmt: skip
    processes, unordered = _ordered(rule, said[rule.order], active, live)
    if not processes:
        return None, [_no_order(rule, one) for one in unordered]
    chosen, problems = _chosen(rule, said[rule.processes], processes, found, unordered)
    default = chosen.get("") or (processes[0] if len(active) == 1 else None)
    if default is None and not rule.pipeline and not problems:
        what = f"several business process flows of {rule.table} are active, and no decision says which one is meant"
        do = f'name it in decisions.yaml, {rule.processes}: {{"": {processes[0].name}}}'
        problems.append(Problem("process-unclear", what, known=_names(processes), do=do))
    problems += _strange_stages(rule, said[rule.stages], processes)
    stages = {key: target for name, target in said[rule.stages].items() for key in _readings(rule, name)}
    return (None if problems else Following(rule, processes, chosen, default, stages)), problems


def _no_order(rule: ProcessRule, one: Definition) -> Problem:
    what = f"the order of the stages of {one.name!r} is not known: it branches, or its definition does not tell"
    do = f'say it in decisions.yaml, {rule.order}: {{{one.name}: "first; second; third"}}'
    return Problem("process-order", what, known=_names(one.known), do=do)


def _wrong_orders(rule: ProcessRule, said: Mapping[str, str], found: Sequence[Definition]) -> Iterator[Problem]:
    """Orders that people said of processes that are not there, or with stages that they have not, or twice."""
    for name, text in said.items():
        named = [one for one in found if _folded(one.name) == _folded(name)]
        if not named:
            what = f"the business process flow {name!r} that {rule.order} names is not there"
            do = f"correct {rule.order} in decisions.yaml"
            yield Problem("process-missing", what, known=", ".join(one.name for one in found), do=do)
        parts = [_folded(part) for part in _parts(text)]
        for one in named:
            known = {_folded(stage.name) for stage in one.known}
            strange = [part for part in _parts(text) if _folded(part) not in known]
            if strange or len(set(parts)) != len(parts) or not parts:
                why = f"names {', '.join(map(repr, strange))}" if strange else "names a stage twice, or none"
                what = f"the order of the stages of {one.name!r} that {rule.order} says {why}"
                do = f"write its stages, each once, between semicolons under {rule.order} in decisions.yaml"
                yield Problem("process-order", what, known=_names(one.known), do=do)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _said(rule: ProcessRule, decisions: Mapping[str, Any]) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    found: dict[str, dict[str, str]] = {}
    problems = []
    for name in (rule.processes, rule.stages, rule.order):
        value = decisions.get(name) or {}
        if not isinstance(value, Mapping):
            do = "write pairs: {source value: value}"
            problems.append(
                Problem("option-unknown", f"{value!r} is no answer to decision {name}", where="decisions.yaml", do=do)
            )
            continue
        found[name] = {str(key).strip(): str(one).strip() for key, one in value.items()}
    return found, problems


def _ordered(
    rule: ProcessRule, said: Mapping[str, str], active: Sequence[Definition], live: Mapping[str, Table | None]
) -> tuple[tuple[Process, ...], list[Definition]]:
    """The processes with their stages in order, as people said or the definition tells; and those whose order is not known."""
    orders = {_folded(name): [_folded(part) for part in _parts(text)] for name, text in said.items()}
    found, unordered = [], []
    for one in active:
        stages, order = one.stages, orders.get(_folded(one.name))
        if order is not None:
            by_name = {_folded(stage.name): stage for stage in one.known}
            stages = tuple(by_name[name] for name in order)
        record = _record_column(live[one.table], rule.table)
        if not stages or record is None:
            unordered.append(one)
        else:
            found.append(Process(one.id, one.name, one.table, record, stages, one.goes_on))
    return tuple(found), unordered


def _record_column(table: Table | None, primary: str) -> str | None:
    names = (f"bpf_{primary}id", f"{primary}id")
    return next((name for name in names if table is not None and table.column(name) is not None), None)


def _chosen(
    rule: ProcessRule,
    said: Mapping[str, str],
    processes: Sequence[Process],
    found: Sequence[Definition],
    unordered: Sequence[Definition],
) -> tuple[dict[str, Process], list[Problem]]:
    by_name, without = {_folded(one.name): one for one in processes}, {_folded(one.name): one for one in unordered}
    inactive = {_folded(one.name) for one in found if not one.is_active}
    chosen: dict[str, Process] = {}
    problems = []
    for pipeline, name in said.items():
        if _folded(name) in without:
            problems.append(_no_order(rule, without[_folded(name)]))
            continue
        if _folded(name) in by_name:
            chosen[pipeline] = by_name[_folded(name)]
            continue
        why = "is not activated" if _folded(name) in inactive else "is not there"
        what = f"the business process flow {name!r} that {rule.processes} names {why}"
        do = f"have an administrator activate it, or name another one under {rule.processes} in decisions.yaml"
        problems.append(Problem("process-missing", what, known=_names(processes), do=do))
    return chosen, problems


def _strange_stages(rule: ProcessRule, said: Mapping[str, str], processes: Sequence[Process]) -> Iterator[Problem]:
    known = {_folded(stage.name): stage.name for one in processes for stage in one.stages}
    for stage, target in said.items():
        if _folded(target) not in known and processes:
            what = f"no active process has the stage {target!r} that {rule.stages} names for {stage!r}"
            do = f"correct {rule.stages} in decisions.yaml"
            yield Problem("process-stage", what, known=", ".join(sorted(known.values())), do=do)


def _readings(rule: ProcessRule, name: str) -> list[tuple[str, str]]:
    """(pipeline, stage) that a name may mean: a stage of any pipeline, or one of the pipeline before the last " / "."""
    pipeline, slash, stage = name.rpartition(" / ")
    return [("", name), *([(pipeline.strip(), stage.strip())] if slash and rule.pipeline else [])]


def _names(named: Sequence[Process | Stage]) -> str:
    return ", ".join(one.name for one in named)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
