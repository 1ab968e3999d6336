"""MetadataIds. They follow from the name alone, so that two environments, or one twice made, agree."""

from functools import lru_cache
from uuid import UUID, uuid5

_NAMESPACE = UUID("0d4a3b0e-6c1b-4f0f-8a4e-6f1f3a1f2c55")


@lru_cache(maxsize=1 << 16)
def metadata_id(kind: str, name: str) -> str:
    """The id of a definition. `kind`: table, column (`table.column`), relationship, key (`table.key`), choice."""
    return str(uuid5(_NAMESPACE, f"{kind}/{name}"))
