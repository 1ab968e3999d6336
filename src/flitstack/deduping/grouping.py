"""Which records are one: keys become groups, groups that share a record become clusters.

All set-wise: only records whose key occurs more than once are kept beside the source, so memory follows the number of
duplicates, not of records.
"""

from collections.abc import Sequence

from flitstack.deduping.clusters import EDGES, LABELS, SAME_ID, SIGNED, form_clusters
from flitstack.deduping.records import LEAVING, SOURCE, Work
from flitstack.deduping.rules import IdentityRule
from flitstack.staging.engine.engine import Engine, literal, quoted

KEYED = "dedupe_keyed"
SIGNED_MERGE = "signed"


def group_records(work: Work, order: str) -> None:
    """Fill LABELS (_n, _label): records with one label are one; a record that stands alone has no row.

    EDGES keeps which rule joined whom: (_n, rule, rank, anchor); records of one (rule, anchor) are a group. `order`: SQL
    of preference_order.
    """
    engine = work.engine
    rules = work.rules.identity
    own_id = " || '-' || ".join(f"clean({quoted(name)})" for name in work.key_fields) or "NULL"
    selected = "".join(f", CAST(({rule.key}) AS VARCHAR) AS k{rank}" for rank, rule in enumerate(rules, start=1))
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE {KEYED} AS SELECT _n, CAST({own_id} AS VARCHAR) AS k0{selected}"
        f" FROM {SOURCE} WHERE _n NOT IN (SELECT _n FROM {LEAVING})"
    )
    engine.run(f"CREATE OR REPLACE TEMP TABLE {EDGES} (_n BIGINT, rule VARCHAR, rank INTEGER, anchor BIGINT)")
    _join_by_key(engine, SAME_ID, 0)
    _join_signed(work)
    keys = [rank for rank, rule in enumerate(rules, start=1) if not rule.only_unkeyed]
    for rank in keys:
        _join_by_key(engine, rules[rank - 1].name, rank)
    form_clusters(work, order)
    for rank, rule in enumerate(rules, start=1):
        if rule.only_unkeyed:
            _join_unkeyed(engine, rule, rank, keys)
            form_clusters(work, order)


def _join_by_key(engine: Engine, name: str, rank: int) -> None:
    engine.run(
        f"INSERT INTO {EDGES} WITH shared AS (SELECT k{rank}, min(_n) AS anchor FROM {KEYED} WHERE k{rank} IS NOT NULL"
        f" GROUP BY k{rank} HAVING count(*) > 1)"
        f" SELECT _n, {literal(name)}, {rank}, anchor FROM {KEYED} JOIN shared USING (k{rank})"
    )


def _join_signed(work: Work) -> None:
    """Pairs a person signed as one (review.py)."""
    work.engine.run(
        f"INSERT INTO {EDGES} WITH pairs AS (SELECT least(a._n, b._n) AS a, greatest(a._n, b._n) AS b FROM {SIGNED} p"
        f" JOIN {SOURCE} a ON a._id = p.a JOIN {SOURCE} b ON b._id = p.b"
        f" WHERE p.decision = 'merge' AND p.object = {literal(work.object)}"
        f" AND a._n IN (SELECT _n FROM {KEYED}) AND b._n IN (SELECT _n FROM {KEYED}))"
        f" SELECT DISTINCT unnest([a, b]), '{SIGNED_MERGE}', 1000, a FROM pairs"
    )


def _join_unkeyed(engine: Engine, rule: IdentityRule, rank: int, keys: Sequence[int]) -> None:
    """Records without a key join the one cluster that has their value, else those like them.

    `keys`: ranks of the rules that give keys. Who joined such a cluster by an earlier rule is not asked again.
    """
    has_key = f"coalesce({', '.join(f'k{number}' for number in keys)}) IS NOT NULL" if keys else "FALSE"
    engine.run(
        f"""INSERT INTO {EDGES}
        WITH placed AS (SELECT _n, k{rank} AS value, {has_key} AS keyed, coalesce(_label, _n) AS home
            FROM {KEYED} LEFT JOIN {LABELS} USING (_n) WHERE k{rank} IS NOT NULL),
        unkeyed AS (SELECT _n, value FROM placed WHERE NOT keyed
            AND home NOT IN (SELECT home FROM placed WHERE keyed)),
        homes AS (SELECT value, min(home) AS home, count(DISTINCT home) AS clusters
            FROM placed WHERE keyed AND value IN (SELECT value FROM unkeyed) GROUP BY value),
        joined AS (
            SELECT _n, home, clusters, min(_n) OVER same AS first, count(*) OVER same AS like_it
            FROM unkeyed LEFT JOIN homes USING (value) WINDOW same AS (PARTITION BY value))
        SELECT DISTINCT unnest([_n, home]), {literal(rule.name)}, {rank}, home FROM joined WHERE clusters = 1
        UNION ALL
        SELECT _n, {literal(rule.name)}, {rank}, -1 - first FROM joined
        WHERE coalesce(clusters, 0) <> 1 AND like_it > 1"""
    )
