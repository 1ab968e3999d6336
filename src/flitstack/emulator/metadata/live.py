"""What one metadata request sees: the environment's definitions and what is kept beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flitstack.emulator.core import Document, EntityModel, Environment
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.labels import Texts


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a metadata request comes with.

    `solution`: the unmanaged solution that takes up what it makes or changes, "" for none. `key_delay`: how long a new
    alternate key stays Pending. `max_custom_tables`: None for no limit.
    """

    solution: str = ""
    now: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    key_delay: timedelta = timedelta(0)
    max_custom_tables: int | None = None


class Live:
    """Made anew for each request; documents are read once per kind, until `forget`."""

    def __init__(self, environment: Environment, occasion: Occasion | None = None) -> None:
        self.environment = environment
        self.occasion = occasion or Occasion()
        row = environment.connection.execute("SELECT languagecode FROM organization").fetchone()
        self.language = int(row[0]) if row and row[0] else 1033
        self._documents: dict[str, dict[str, Document]] = {}

    def documents(self, kind: str) -> Mapping[str, Document]:
        """All documents of a kind."""
        if kind not in self._documents:
            self._documents[kind] = self.environment.documents(kind)
        return self._documents[kind]

    def forget(self) -> None:
        """Read documents anew, after this request changed some."""
        self._documents.clear()

    def extra(self, kind: str, name: str) -> Document:
        """What is kept beside a definition: `labels`, `descriptions`, `options` (value -> labels) ..."""
        found = self.documents(kind).get(name, {}).get("extra")
        return found if isinstance(found, dict) else {}

    def labels(self, extra: Document, text: str) -> Texts:
        """Labels in all languages, or the definition's own text in the base language."""
        found = extra.get("labels")
        if isinstance(found, dict) and found:
            return found
        return {str(self.language): text} if text else {}

    def descriptions(self, extra: Document) -> Texts:
        """Descriptions in all languages; an empty one is none."""
        found = extra.get("descriptions")
        return {lcid: text for lcid, text in found.items() if text} if isinstance(found, dict) else {}

    def table(self, key: Mapping[str, object]) -> EntityModel:
        """The table of `(LogicalName='x')` or `(guid)`. Refusal 404."""
        tables = self.environment.tables
        name = key.get("LogicalName")
        if isinstance(name, str):
            if name in tables:
                return tables[name]
            raise Refusal(404, "0x80060888", f"Could not find an entity with name {name}.")
        wanted = key.get("MetadataId")
        if isinstance(wanted, str):
            for table, model in tables.items():
                if metadata_id("table", table) == wanted.lower():
                    return model
            raise Refusal(404, "0x80040217", f"Could not find an entity with id {UUID(wanted)}.")
        raise Refusal(400, "0x80060888", "A table is named by LogicalName or MetadataId.")
