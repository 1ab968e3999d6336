"""Participants of activities: owners by address, others by their row, whoever is not found by the address itself."""

from flitstack.mapping.indexes import Indexes
from flitstack.mapping.program import Program
from flitstack.staging.engine.engine import quoted


def parties_sql(program: Program, indexes: Indexes, source: str) -> str:
    """SQL giving, by record (`_n`), the list `_parties` of mapping/document.py; each participant once a role."""
    selects = []
    for number, party in enumerate(program.parties):
        name = quoted(f"_party{number}")
        head = f"SELECT _n, {party.mask} AS mask, {number} AS rank"
        if party.way is None:
            selects.append(
                f"{head}, 0::BIGINT AS place, 'owner' AS \"table\", NULL::VARCHAR AS digest, {name} AS address"
                f" FROM {source} WHERE {name} IS NOT NULL"
            )
            continue
        unknown = "WHEN i.digest IS NULL THEN 'owner'" if party.or_users else ""
        selects.append(
            f"""{head}, e.place, CASE WHEN NOT i.is_ambiguous THEN i."table" {unknown} END AS "table",
                CASE WHEN NOT i.is_ambiguous THEN replace(CAST(i.digest AS VARCHAR), '-', '') END AS digest,
                e."key" AS address
            FROM (SELECT _n, unnest({name}) AS "key", generate_subscripts({name}, 1) AS place FROM {source}) e
            LEFT JOIN {indexes.relation(party.way)} i ON i."key" = e."key" WHERE e."key" IS NOT NULL"""
        )
    party_struct = "{'mask': mask::INTEGER, 'table': \"table\", 'digest': digest, 'address': address}"
    # The same address written twice, or two addresses of one contact, is one participant.
    once = (
        'SELECT _n, mask, min(rank) AS rank, min(place) AS place, "table", digest, arg_min(address, place) AS address'
        f" FROM ({' UNION ALL '.join(selects)})"
        ' GROUP BY _n, mask, "table", digest, CASE WHEN digest IS NULL THEN address END'
    )
    return f"SELECT _n, list({party_struct} ORDER BY rank, place) AS _parties FROM ({once}) GROUP BY _n"
