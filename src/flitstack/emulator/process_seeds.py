"""Business process flows that an administrator made before: their definitions, stages and tables of instances.

Sources: Microsoft Learn, "Work with business process flows using code" (where definitions and stages are stored, names of the
table of instances and of its lookup to the record); the columns are those of the published table opportunitysalesprocess.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from flitstack.catalogue.types import Column, OneToMany, Table
from flitstack.emulator.core import Environment
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.entities import FIRST_CUSTOM_CODE
from flitstack.emulator.metadata.names import plural_of
from flitstack.emulator.rows.processes import ACTIVATED, CATEGORY, DEFINITION, STAGE_STEP
from flitstack.emulator.seed import APPLICATION_USER, seed_id
from flitstack.emulator.values import uuid_blob

Line = dict[str, Any]
_TEMPLATE = "opportunitysalesprocess"
_OBJECT_MODEL = "#Microsoft.Crm.Workflow.ObjectModel"
# Columns of the template that other tables of instances have under another name, or not.
_OWN = frozenset({
    "name", "duration", "opportunityid", "quoteid", "salesorderid", "bpf_quoteid", "bpf_salesorderid",
    "transactioncurrencyid", "exchangerate",
})  # fmt: skip


def seed_process(environment: Environment, line: Line, number: int) -> None:
    """One process: `name`, `stages` (names, or {"name", "table"} of another table), and, where not the default, `uniquename`
    (opportunitysalesprocess), `primaryentity` (opportunity), `active` (true), `order` (its place in the list)."""
    name, stages = str(line["name"]), line["stages"]
    table, primary = str(line.get("uniquename", _TEMPLATE)), str(line.get("primaryentity", "opportunity"))
    if not stages or primary not in environment.tables:
        raise Refusal(400, "0x80040203", f"process {name!r} has no stages, or is about no table: {primary}")
    if line.get("active", True) and table not in environment.tables:
        _define(environment, table, primary, name)
    process = UUID(str(line.get("workflowid") or seed_id(f"process {table}")))
    told = [one if isinstance(one, dict) else {"name": one} for one in stages]
    steps = [(seed_id(f"stage {table} {place}"), str(one["name"]), str(one.get("table", primary)))
             for place, one in enumerate(told)]  # fmt: skip
    is_active = bool(line.get("active", True))
    environment.put_row("workflow", process, {
        "name": name, "uniquename": table, "primaryentity": primary, "category": CATEGORY, "businessprocesstype": 0,
        "type": DEFINITION, "processorder": int(line.get("order", number)), "clientdata": _client_data(steps, primary),
        "statecode": ACTIVATED if is_active else 0, "statuscode": 2 if is_active else 1,
        "ownerid": uuid_blob(APPLICATION_USER),
    })  # fmt: skip
    for id_, stage, about in steps:
        environment.put_row("processstage", id_, {
            "stagename": stage, "processid": uuid_blob(process), "primaryentitytypecode": about, "stagecategory": 0,
        })  # fmt: skip


def _client_data(steps: Sequence[tuple[UUID, str, str]], primary: str) -> str:
    """The definition as the designer stores it, as far as the order of the stages is concerned."""
    following = [str(id_) for id_, _, _ in steps[1:]] + [None]
    listed: list[Line] = [
        {
            "__class": STAGE_STEP, "description": name, "stageId": str(id_), "nextStageId": after, "stageCategory": "0",
            "steps": {"list": []},
        }
        for (id_, name, _), after in zip(steps, following, strict=True)
    ]  # fmt: skip
    entity = {"__class": f"EntityStep:{_OBJECT_MODEL}", "description": primary, "steps": {"list": listed}}
    return json.dumps({"__class": f"WorkflowStep:{_OBJECT_MODEL}", "steps": {"list": [entity]}})


def _define(environment: Environment, name: str, primary: str, label: str) -> None:
    """The table that activating a process makes."""
    template = environment.tables[_TEMPLATE].table
    columns = {c.name: c for c in template.columns.values() if c.name not in _OWN}
    for column in ("statecode", "statuscode"):
        columns[column] = replace(columns[column], option_set=f"{name}_{column}")
    about = Column(
        name=f"bpf_{primary}id", schema_name=f"bpf_{primary}id", type="Lookup", label=primary, creatable=True, updatable=True,
        targets=(primary,), navigation={primary: f"bpf_{primary}id"},
    )  # fmt: skip
    for new, old in (("bpf_name", "name"), ("bpf_duration", "duration")):
        columns[new] = replace(template.columns[old], name=new, schema_name=new)
    columns[about.name] = about
    codes = [model.table.object_type_code for model in environment.tables.values() if model.is_custom]
    table = replace(
        template, name=name, schema_name=name, entity_set=plural_of(name), name_column="bpf_name", label=label,
        label_plural=label, collection_schema_name=plural_of(name), columns=columns, keys=(), source="custom",
        object_type_code=max([FIRST_CUSTOM_CODE - 1, *codes]) + 1,
    )  # fmt: skip
    environment.define_table(table, {})
    _relate(environment, table, primary)


def _relate(environment: Environment, table: Table, primary: str) -> None:
    for column in table.columns.values():
        for target, navigation in column.navigation.items():
            is_record = column.name == f"bpf_{primary}id"
            relationship = f"bpf_{primary}_{table.name}" if is_record else f"lk_{table.name}_{column.name}"
            environment.put_relationship(
                OneToMany(
                    relationship, target, environment.tables[target].table.id_column, table.name, column.name, navigation,
                    relationship, {"delete": "Cascade"} if is_record else {},
                ),
                {},
            )  # fmt: skip
