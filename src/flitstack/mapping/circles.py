"""Circles among records that each point to one other: companies that are their own grandparents.

Found by doubling: after k rounds a step is 2^k pointers long. Records whose way ends drop out, so that exports without a
circle need a handful of joins; where a step is longer than there are records, it can only end on a circle.
"""

from flitstack.staging.engine.engine import Engine, quoted


def find_circles(engine: Engine, view: str, own: str, their: str, name: str) -> str:
    """SQL of (key, value) for every record on a circle: its key, the key of the circle's first record in file order.

    `own`, `their`: SQL of a record's key and of the key it points to. `name`: of the temporary tables.
    """
    nodes, steps, longer = (quoted(f"{name} {part}") for part in ("nodes", "steps", "longer"))
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {nodes} AS
        SELECT "key", target, row_number() OVER (ORDER BY _file, _record) AS place FROM (
            SELECT CAST({own} AS VARCHAR) AS "key", CAST({their} AS VARCHAR) AS target, _file, _record,
                   row_number() OVER (PARTITION BY CAST({own} AS VARCHAR) ORDER BY _file, _record) AS nth
            FROM {view}) WHERE nth = 1 AND "key" IS NOT NULL AND target IS NOT NULL"""
    )
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {steps} AS SELECT n.place, t.place AS ahead, n.place AS first
        FROM {nodes} n JOIN {nodes} t ON t."key" = n.target"""
    )
    records, length = int(engine.one(f"SELECT count(*) FROM {nodes}")[0]), 1
    while length < records and engine.one(f"SELECT count(*) FROM {steps}")[0]:
        engine.run(
            f"""CREATE OR REPLACE TEMP TABLE {longer} AS
            SELECT a.place, b.ahead, least(a.first, b.first) AS first FROM {steps} a JOIN {steps} b ON b.place = a.ahead"""
        )
        engine.run(f"DROP TABLE {steps}")
        engine.run(f"ALTER TABLE {longer} RENAME TO {steps}")
        length *= 2
    return f"""(
        SELECT n."key", f."key" AS value FROM {steps} s
        JOIN {nodes} n ON n.place = s.place JOIN {nodes} f ON f.place = s.first
        WHERE s.place IN (SELECT ahead FROM {steps}))"""
