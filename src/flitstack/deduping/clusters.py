"""Links become clusters: whoever is linked over chains of any length is one, but no pair that a person keeps apart."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush

import pyarrow as pa

from flitstack.deduping.records import SOURCE, Work
from flitstack.staging.engine.engine import Engine, literal

EDGES = "dedupe_edges"
LABELS = "dedupe_labels"
SIGNED = "dedupe_signed"
SAME_ID = "same id"
_MET = "dedupe_met"


def form_clusters(work: Work, order: str) -> None:
    """Fill LABELS from EDGES; a cluster in which a pair kept apart met is parted, and EDGES with it.

    `order`: SQL by which records are preferred (survivors.py). Parting goes record by record, in memory: it is done for
    clusters about which a person decided, and for no others.
    """
    engine = work.engine
    _connect(engine)
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {_MET} AS SELECT x._n AS a, y._n AS b, x._label
        FROM {SIGNED} p JOIN {SOURCE} a ON a._id = p.a JOIN {SOURCE} b ON b._id = p.b
        JOIN {LABELS} x ON x._n = a._n JOIN {LABELS} y ON y._n = b._n AND y._label = x._label
        WHERE p.decision = 'keep_apart' AND p.object = {literal(work.object)}"""
    )
    apart = engine.rows(f"SELECT a, b FROM {_MET}")
    if not apart:
        return
    inside = f"_n IN (SELECT _n FROM {LABELS} WHERE _label IN (SELECT _label FROM {_MET}))"
    records = [n for (n,) in engine.rows(f"SELECT _n FROM {SOURCE} s WHERE {inside} ORDER BY {order}")]
    groups = engine.rows(f"SELECT rule, list(DISTINCT _n) FROM {EDGES} WHERE {inside} GROUP BY rule, anchor")
    parts = part_records(records, groups, apart)
    rows = pa.table({"_n": pa.array(parts.keys(), pa.int64()), "part": pa.array(parts.values(), pa.int64())})
    engine.connection.register("dedupe_parts", rows)
    # The lowest number names what is left of a group in each part: it is in that part, so no other group has its name.
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {EDGES} AS
        SELECT * FROM {EDGES} WHERE _n NOT IN (SELECT _n FROM dedupe_parts)
        UNION ALL SELECT DISTINCT _n, rule, rank, low FROM (
            SELECT *, min(_n) OVER same AS low, max(_n) OVER same AS high FROM {EDGES} JOIN dedupe_parts USING (_n)
            WINDOW same AS (PARTITION BY rule, anchor, part)) WHERE low < high"""
    )
    engine.connection.unregister("dedupe_parts")
    _connect(engine)


def part_records(
    records: Sequence[int], groups: Iterable[tuple[str, Sequence[int]]], apart: Iterable[tuple[int, int]]
) -> Mapping[int, int]:
    """Record -> its part, named by the part's most preferred record.

    `records`: the most preferred first. `groups`: rule and the records that it links. The most preferred record that has no
    part yet takes whoever is linked to it, then to those, the more preferred first, but nobody kept apart from one of
    them; who is left forms parts the same way. Records of one source id stay together, whatever was signed.
    """
    place = {record: number for number, record in enumerate(records)}
    whole = {record: {record} for record in records}  # those of the same source id, who move as one
    groups_of: dict[int, list[int]] = defaultdict(list)
    linked = []
    for rule, members in groups:
        linked.append(members)
        for record in members:
            groups_of[record].append(len(linked) - 1)
            if rule == SAME_ID:
                whole[record] = set(members)
    foes: dict[int, set[int]] = defaultdict(set)
    for a, b in apart:
        if b not in whole[a]:
            foes[a].add(b)
            foes[b].add(a)
    parts: dict[int, int] = {}
    for first in records:
        part: set[int] = set()
        near = [] if first in parts else [(place[first], first)]
        seen, opened = {first}, set[int]()
        while near:
            _, record = heappop(near)
            if record in part or any(not foes[one].isdisjoint(part) for one in whole[record]):
                continue
            part |= whole[record]
            fresh = {group for one in whole[record] for group in groups_of[one]} - opened
            opened |= fresh
            for other in {one for group in fresh for one in linked[group]} - seen - parts.keys():
                seen.add(other)
                heappush(near, (place[other], other))
        parts |= dict.fromkeys(part, first)
    return parts


def _connect(engine: Engine) -> None:
    """Connected components over EDGES into LABELS; a label is the lowest record number of its component.

    Each round gives a record the lowest label of its groups, then of that label's own record: rounds grow with the
    logarithm of the longest chain. Ends for every input, because labels only ever fall.
    """
    engine.run(f"CREATE OR REPLACE TEMP TABLE {LABELS} AS SELECT DISTINCT _n, _n AS _label FROM {EDGES}")
    changed = 1
    while changed:
        engine.run(
            f"""CREATE OR REPLACE TEMP TABLE {LABELS}_next AS
            WITH lowest AS (
                SELECT rule, anchor, min(_label) AS low FROM {EDGES} JOIN {LABELS} USING (_n) GROUP BY rule, anchor),
            near AS (SELECT _n, min(low) AS _label FROM {EDGES} JOIN lowest USING (rule, anchor) GROUP BY _n)
            SELECT near._n, least(near._label, coalesce(jump._label, near._label)) AS _label
            FROM near LEFT JOIN {LABELS} jump ON jump._n = near._label"""
        )
        changed = engine.one(
            f"SELECT count(*) FROM {LABELS}_next a JOIN {LABELS} b USING (_n) WHERE a._label <> b._label"
        )[0]
        engine.run(f"DROP TABLE {LABELS}")
        engine.run(f"ALTER TABLE {LABELS}_next RENAME TO {LABELS}")
