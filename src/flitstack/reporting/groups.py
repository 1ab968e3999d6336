"""Groups findings for people: by code, object and outcome, with a count and three examples."""

from flitstack.errors import OUTCOMES
from flitstack.reporting.document import Example, FindingGroup
from flitstack.staging.engine.engine import Engine, literal

EXAMPLES = 3


def group_findings(engine: Engine, source: str) -> tuple[FindingGroup, ...]:
    """Groups of `source` (an SQL relation with errors.FINDING_COLUMNS), worst outcome first, then the most frequent.

    The examples are the first by file and line, so two reports of the same findings are the same.
    """
    ranks = " ".join(f"WHEN {literal(name)} THEN {rank}" for rank, name in enumerate(OUTCOMES))
    rows = engine.rows(
        f"""SELECT code, object, outcome, count(*) OVER same AS n, max("do") OVER same, file, record, line, field, shape, what
        FROM {source}
        WINDOW same AS (PARTITION BY code, object, outcome)
        QUALIFY row_number() OVER (PARTITION BY code, object, outcome ORDER BY file, line, record, field) <= {EXAMPLES}
        ORDER BY CASE outcome {ranks} ELSE {len(OUTCOMES)} END, n DESC, code, object, file, line, record, field"""
    )
    groups: dict[tuple[str, str, str], FindingGroup] = {}
    for code, name, outcome, count, do, *where in rows:
        example = Example(where[0] or "", where[1] or "", where[2], where[3] or "", where[4] or "", where[5] or "")
        key = (code, name, outcome)
        before = groups[key].examples if key in groups else ()
        groups[key] = FindingGroup(code, name or "", outcome, int(count), do or "", (*before, example))
    return tuple(groups.values())
