"""A pack's example whose scoping says something else, taken its whole way."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from route.route_case import Migration, begin, serving

from flitstack.packs.read import load_pack

Decided = Callable[..., Migration]


@contextmanager
def deciding(pack: str, folder: Path) -> Iterator[Decided]:
    """Makes projects of the pack's example with decisions of one's own."""
    export = folder / "export"
    shutil.copytree(load_pack(pack).folder / "example", export)
    scoping = json.loads((export / "scoping.json").read_text())
    with serving(folder / "emulator") as url:

        def make(**decisions: Any) -> Migration:
            (export / "scoping.json").write_text(json.dumps(scoping | decisions))
            return begin(folder / "acme", url, export, pack=pack)

        yield make


def loaded(migration: Migration) -> dict[str, int]:
    """Load everything; the rows by table. Fails unless all is verified and every account closes."""
    migration.do("run", "--rehearse", code=3)
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    status = migration.do("status")
    assert all(account["closes"] for account in status["accounts"].values())
    return dict(status["tables"])
