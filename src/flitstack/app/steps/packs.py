"""`flitstack packs`: what sources there are."""

from flitstack.app.result import Result
from flitstack.packs.read import load_pack, pack_names


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
