"""Which route takes a record: worked out once an object, for all of its routes.

The first route whose condition holds takes the record; routes marked `also` take theirs beside it, whatever came before.
"""

from collections.abc import Iterable
from pathlib import Path

from flitstack.mapping.program import Program
from flitstack.mapping.sharing import share_calls
from flitstack.staging.engine.engine import Engine, quoted, read_parquet


def route_records(engine: Engine, programs: Iterable[Program], view: str, path: Path) -> str:
    """Settle `takes` of one object's programs; returns the condition of records that none of them takes.

    `view`: the object's records; `path`: where the numbers of the routes go, by record, if they have to be kept.
    """
    mine = sorted(programs, key=lambda program: program.number)
    for program in mine:
        if program.route.also:
            program.takes = program.condition
    exclusive = [program for program in mine if not program.route.also]
    if not exclusive:
        return "TRUE"
    if exclusive[0].condition == "TRUE":
        for later in exclusive[1:]:
            later.takes = "FALSE"
        return "FALSE"
    _write_numbers(engine, exclusive, view, path)
    taken = f"SELECT n FROM {read_parquet(path)}"
    for program in exclusive:
        program.takes = f"_n IN ({taken} WHERE route = {program.number})"
    return f"_n IN ({taken} WHERE route IS NULL)"


def _write_numbers(engine: Engine, programs: Iterable[Program], view: str, path: Path) -> None:
    branches = " ".join(f"WHEN {program.condition} THEN {program.number}" for program in programs)
    layers, columns = share_calls([("_route", f"CASE {branches} END")])
    source = f"SELECT * FROM {view}"
    for layer in [*layers, columns]:
        source = f"SELECT *{''.join(f', {sql} AS {quoted(name)}' for name, sql in layer)} FROM ({source})"
    # Records of no route, too: a filter would be pushed down, and with it each layer written out at every use.
    engine.write_parquet(f"SELECT _n AS n, _route AS route FROM ({source})", path)
