"""What is listed or matched after merging: groups that only look alike, survivors that are destination rows already."""

from collections.abc import Mapping
from pathlib import Path

from flitstack.deduping.grouping import SIGNED
from flitstack.deduping.records import LEAVING, SOURCE, Work, finding_select
from flitstack.deduping.survivors import PLACED
from flitstack.staging.engine.engine import literal

ALIKE = "dedupe_alike"
MATCHES = "dedupe_matches"
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

    A pair that was signed as different is not listed again.
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
            WHERE NOT EXISTS (SELECT 1 FROM {SIGNED} p
                WHERE p.decision = 'keep_apart' AND p.object = {literal(work.object)}
                AND ((p.a = a._id AND p.b = b._id) OR (p.a = b._id AND p.b = a._id)))"""
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


def match_existing(work: Work, existing: Mapping[str, Path]) -> int:
    """Survivors that are rows of the destination already, by the first rule that says so: rows of MATCHES.

    `existing`: table -> Parquet file of its rows with the column `<table>id` and the columns the rules read. A survivor
    that fits several rows is no match: finding ambiguous_match (listed; it would be created beside them).
    """
    rules = [rule for rule in work.rules.existing if rule.table in existing]
    if not rules:
        return 0
    before = work.engine.one(f"SELECT count(*) FROM {MATCHES}")[0]
    pairs = " UNION ALL ".join(
        f"""SELECT h._home, {rank} AS rank, {literal(rule.rule)} AS rule, {literal(rule.table)} AS "table", e.row_id
        FROM (SELECT DISTINCT _home, CAST(({rule.key}) AS VARCHAR) AS _key FROM {SOURCE} JOIN {HOMES} USING (_n)) h
        JOIN (SELECT CAST({rule.table}id AS VARCHAR) AS row_id, CAST(({rule.theirs}) AS VARCHAR) AS _key
              FROM read_parquet({literal(str(existing[rule.table]))})) e USING (_key)"""
        for rank, rule in enumerate(rules)
    )
    # Two survivors never take one row: the earlier record has it, the other is created.
    work.engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {MATCHES}_found AS
        WITH pairs AS ({pairs}),
        best AS (SELECT * FROM pairs QUALIFY rank = min(rank) OVER (PARTITION BY _home)),
        counted AS (SELECT _home, any_value(rule) AS rule, any_value("table") AS "table", min(row_id) AS row_id,
            count(DISTINCT row_id) AS fits FROM best GROUP BY _home)
        SELECT *, row_number() OVER (PARTITION BY "table", row_id, fits ORDER BY _home) AS turn FROM counted"""
    )
    work.engine.run(
        f"""INSERT INTO {MATCHES} SELECT {literal(work.object)}, s._id, f."table", f.row_id, f.rule
        FROM {MATCHES}_found f JOIN {SOURCE} s ON s._n = f._home WHERE fits = 1 AND turn = 1"""
    )
    work.findings.add_sql(
        finding_select(
            work,
            "'ambiguous_match'",
            "'listed'",
            """'fits ' || f.fits || ' rows of ' || f."table" || ' (' || f.rule || '): a new row would be made'""",
            do="'merge those rows in the environment, then run: flitstack dedupe'",
        )
        + f" FROM {MATCHES}_found f JOIN {SOURCE} s ON s._n = f._home WHERE f.fits > 1"
    )
    return int(work.engine.one(f"SELECT count(*) FROM {MATCHES}")[0] - before)
