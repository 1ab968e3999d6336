"""`flitstack packs`: what sources there are."""

from flitstack.app.result import Result
from flitstack.packs.read import load_pack, pack_names
from flitstack.packs.table import checklists, table_page


def packs() -> Result:
    """Every bundled pack with its objects and decisions."""
    found = [load_pack(name) for name in pack_names()]
    document = {
        "packs": [
            {
                "name": p.name,
                "title": p.title,
                "objects": list(p.objects),
                "decisions": {n: d.default for n, d in p.decisions.items()},
            }
            for p in found
        ]
    }
    lines = [f"{p.name:<12} {p.title}: {', '.join(p.objects)}" for p in found]
    return Result(document, tuple(lines), next="flitstack new DIR --from PACK --export PATH")


def packs_table() -> Result:
    """What each source's migration must do, how it is done and which test shows it, as Markdown."""
    document = {
        title: [
            {"id": item.id, "what": item.what, "how": item.how, "tests": list(item.tests), "open": item.open}
            for item in items
        ]
        for title, items in checklists().items()
    }
    return Result(document, tuple(table_page().splitlines()))
