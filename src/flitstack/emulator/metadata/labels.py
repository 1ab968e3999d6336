"""Labels and managed properties in the shapes of the metadata API."""

from collections.abc import Mapping

Texts = dict[str, str]  # language (lcid as text) -> text


def label_json(texts: Mapping[str, str], language: int) -> dict[str, object]:
    """A Label: all languages, and the one of the base language as the user's. Empty when there is no text."""
    localized = [
        {"Label": text, "LanguageCode": int(lcid), "IsManaged": False, "MetadataId": None, "HasChanged": None}
        for lcid, text in texts.items()
    ]
    own = next((item for item in localized if item["LanguageCode"] == language), localized[0] if localized else None)
    return {"LocalizedLabels": localized, "UserLocalizedLabel": own}


def read_label(value: object, language: int) -> Texts:
    """The texts of a Label as clients send it; a UserLocalizedLabel alone counts too."""
    if not isinstance(value, dict):
        return {}
    items = value.get("LocalizedLabels") or [value.get("UserLocalizedLabel")]
    return {
        str(item.get("LanguageCode", language)): str(item["Label"])
        for item in items
        if isinstance(item, dict) and item.get("Label") is not None
    }


def base_text(texts: Mapping[str, str], language: int, default: str = "") -> str:
    """The text in the base language, else the first one."""
    return texts.get(str(language)) or next(iter(texts.values()), default)


def managed(value: object, name: str) -> dict[str, object]:
    """A managed property."""
    return {"Value": value, "CanBeChanged": True, "ManagedPropertyLogicalName": name}
