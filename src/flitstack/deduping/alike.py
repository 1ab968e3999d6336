"""What is listed after merging: groups that only look alike."""

from flitstack.deduping.clusters import SIGNED
from flitstack.deduping.records import LEAVING, SOURCE, Work, finding_select
from flitstack.deduping.survivors import PLACED
from flitstack.staging.engine.engine import literal

ALIKE = "dedupe_alike"
HOMES = "dedupe_homes"


def open_lists(work: Work) -> None:
    """Fill HOMES (_n, _home): every record that stays, with its survivor's number (its own when it stands alone)."""
    work.engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {HOMES} AS
        SELECT s._n, coalesce(top._n, s._n) AS _home FROM {SOURCE} s
        LEFT JOIN {PLACED} p ON p._n = s._n LEFT JOIN {PLACED} top ON top._cluster = p._cluster AND top._place = 1
        WHERE s._n NOT IN (SELECT _n FROM {LEAVING})"""
    )


def list_alike(work: Work) -> int:
    """Survivors that share an `alike` key with an earlier one: a finding each, and a row of ALIKE. Never merged here.

    Two of which records were signed as different are not listed again.
    """
    before = work.engine.one(f"SELECT count(*) FROM {ALIKE}")[0]
    for rule in work.rules.alike:
        work.engine.run(
            f"""INSERT INTO {ALIKE}
            WITH keys AS (SELECT DISTINCT CAST(({rule.key}) AS VARCHAR) AS _key, _home
                FROM {SOURCE} JOIN {HOMES} USING (_n)),
            shared AS (SELECT _key, min(_home) AS first FROM keys WHERE _key IS NOT NULL
                GROUP BY _key HAVING count(*) > 1)
            SELECT {literal(work.object)}, later._home, a._id, b._id, {literal(rule.what)}
            FROM (SELECT _home, min(first) AS first FROM keys JOIN shared USING (_key)
                WHERE _home <> first GROUP BY _home) later
            JOIN {SOURCE} a ON a._n = later._home JOIN {SOURCE} b ON b._n = later.first
            WHERE (least(later._home, later.first), greatest(later._home, later.first)) NOT IN (
                SELECT (least(x._home, y._home), greatest(x._home, y._home)) FROM {SIGNED} p
                JOIN {SOURCE} m ON m._id = p.a JOIN {HOMES} x ON x._n = m._n
                JOIN {SOURCE} o ON o._id = p.b JOIN {HOMES} y ON y._n = o._n
                WHERE p.decision = 'keep_apart' AND p.object = {literal(work.object)})"""
        )
    work.findings.add_sql(
        finding_select(
            work,
            "'possible_duplicate'",
            "'listed'",
            "l.what || ' as ' || l.other_id || ': not merged'",
            do="'if they are the same, write merge into reports/merges.xlsx and run: flitstack dedupe'",
        )
        + f" FROM {ALIKE} l JOIN {SOURCE} s ON s._n = l.number WHERE l.object = {literal(work.object)}"
    )
    return int(work.engine.one(f"SELECT count(*) FROM {ALIKE}")[0] - before)
