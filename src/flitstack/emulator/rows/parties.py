"""Activity parties: the rows behind `to`, `from`, `requiredattendees` ... and those the platform keeps by itself."""

from collections.abc import Mapping, Sequence

from flitstack.emulator.ddl import is_polymorphic, quoted, type_column
from flitstack.emulator.messages import Refusal
from flitstack.emulator.rows.deletions import record_deletions
from flitstack.emulator.rows.payload import Draft, parser
from flitstack.emulator.rows.references import require
from flitstack.emulator.work import Change, Values

REGARDING, OWNER = 8, 9
# Participation types a client may set; tables not named here take all of 1-7, 10 and 11.
# Source: Microsoft Learn, "ActivityParty entity".
_ALLOWED = {
    "email": frozenset({1, 2, 3, 4}),
    "phonecall": frozenset({1, 2}),
    "fax": frozenset({1, 2}),
    "letter": frozenset({1, 2, 4}),
    "appointment": frozenset({5, 6, 7}),
    "recurringappointmentmaster": frozenset({5, 6, 7}),
    "task": frozenset[int](),
}
_ANY = frozenset({1, 2, 3, 4, 5, 6, 7, 10, 11})
_PARTY = "activityparty"


def add_parties(change: Change, bodies: Sequence[Mapping[str, object]]) -> None:
    """Insert the parties a request names under an activity."""
    work, allowed = change.work, _ALLOWED.get(change.model.name, _ANY)
    model = work.store.schema.tables[_PARTY]
    parse = parser(work.store, model, is_create=True).parse
    for body in bodies:
        draft = parse(body, work.content_ids)
        mask = draft.values.get("participationtypemask")
        if mask not in allowed:
            raise Refusal(
                400,
                "0x80043504",
                f"The participation type mask {mask!r} is not allowed for activity parties of '{change.model.name}'.",
            )
        if draft.values.get("partyid") is None and draft.values.get("addressused") is None:
            raise Refusal(400, "0x80040203", "An activity party needs a party or an address.")
        require(work.store, draft.targets)
        _insert(change, draft)


def replace_parties(change: Change, bodies: Sequence[Mapping[str, object]]) -> None:
    """PUT of the whole collection: what clients set before goes, the platform's own rows stay."""
    _remove(change, f"participationtypemask NOT IN ({REGARDING}, {OWNER})")
    add_parties(change, bodies)


def follow_activity(change: Change) -> None:
    """Keep the owner's party (9) and the regarding one (8) as the activity says."""
    for column, mask in (("ownerid", OWNER), ("regardingobjectid", REGARDING)):
        if column not in change.values:
            continue
        if change.before is not None:
            _remove(change, f"participationtypemask = {mask}")
        target = change.values[column]
        if target is not None:
            draft = Draft({"participationtypemask": mask, "partyid": target})
            draft.values[type_column("partyid")] = change.values.get(type_column(column)) or _only_target(
                change, column
            )
            _insert(change, draft)


def _only_target(change: Change, column: str) -> str:
    return change.model.columns[column].targets[0]


def _insert(change: Change, draft: Draft) -> None:
    work = change.work
    model = work.store.schema.tables[_PARTY]
    values: Values = draft.values
    values[model.table.id_column] = work.new_id()
    values["activityid"] = change.id
    if is_polymorphic(model.columns["activityid"]):
        values[type_column("activityid")] = change.model.name
    if "ownerid" in model.stored:
        values["ownerid"] = change.after("ownerid")
    values["versionnumber"] = work.store.next_version()
    known = {k: v for k, v in values.items() if k in model.stored or k.removesuffix("$type") in model.stored}
    names = ", ".join(map(quoted, known))
    sql = f"INSERT INTO {work.store.ensure_rows(model, known)} ({names}) VALUES ({', '.join('?' * len(known))})"
    work.store.connection.execute(sql, list(known.values()))
    work.store.ensure_index(_PARTY, "activityid")


def _remove(change: Change, condition: str) -> None:
    columns = ("activityid", "participationtypemask")
    model = change.work.store.schema.tables[_PARTY]
    gone = change.work.store.connection.execute(
        f"DELETE FROM {change.work.store.ensure_rows(model, columns)} WHERE activityid = ? AND {condition} "
        f"RETURNING {quoted(model.table.id_column)}",
        (change.id,),
    ).fetchall()
    record_deletions(change.work, model, [id_ for (id_,) in gone])
