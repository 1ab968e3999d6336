"""Guesses which fields hold personal data: from what the pack says, from what the values are, from the heading."""

import re
from collections.abc import Mapping

from flitstack.packs.types import Field

# Headings, in the languages our sources use, that name personal data.
HEADINGS = re.compile(
    r"(?i)\b(first|last|given|family|full|middle|maiden)[ _-]?name\b|\bsurname\b|e-?mail|phone|mobile|\bfax\b|whats?app"
    r"|birth|\bdob\b|\bssn\b|social security|passport|tax.?id|iban|\bcard\b|street|address|\bzip\b|postal|gender|\bsex\b"
    r"|ім.?я|прізвище|телефон|пошта|адреса|народження|\bad[ıi]\b|soyad|telefon|e-?posta|adres|do[ğg]um|vorname|nachname|geburt"
)
# Meanings of the pack language that describe a person's identity or whereabouts; a role or a score does not.
MEANINGS = re.compile(
    r"^(person|user|patient|student|client|practitioner)\.(.*_)?"
    r"(name|email|phone|mobile|fax|linkedin|birth.*|address.*|street|city|postal.*|zip|gender|sex|ssn|mrn|whatsapp.*)$"
)


def personal_reason(field: Field | None, header: str, kinds: Mapping[str, float]) -> str:
    """Why a column is held to be personal data, in words; "" when nothing says so."""
    if field is not None and field.sensitive:
        return "the pack marks it as sensitive"
    if kinds.get("email", 0) > 0.5:
        return "the values are e-mail addresses"
    if kinds.get("phone", 0) > 0.5 and kinds.get("number", 0) < 0.5:
        return "the values are phone numbers"
    if field is not None and MEANINGS.match(field.means) and field.means != "person.company_name":
        return f"it means {field.means}"
    if HEADINGS.search(header):
        return "its heading says so"
    return ""
