"""Value function for company names, as SQL macros: what is the same company whatever its legal form is written like."""

from functools import cache

from cleanco.termdata import terms_by_type

# Legal forms that cleanco's list lacks.
LOCAL_FORMS = (
    "ТОВ",
    "ООО",
    "ЗАО",
    "ПАТ",
    "ПрАТ",
    "АТ",
    "ПП",
    "ФОП",
    "ИП",
    "A.Ş.",
    "AŞ",
    "Ltd. Şti.",
    "Ltd Şti",
    "Şti",
    "Tic",
    "San",
)
_IN_FRONT = "тов|ооо|зао|пат|прат|ат|пп|фоп|ип"


@cache
def company_macros() -> tuple[str, ...]:
    """`company_key`: lower case, punctuation and legal form gone. The forms come from cleanco and LOCAL_FORMS.

    Only forms at the end go (also several: "Ltd. Co."), or one of the leading Slavic ones; a name that is nothing but a
    form keeps it. Accents stay: "Société" and "Societe" may be two companies; the Turkish `ı` is `i`, since capitals do not
    tell them apart ("GALATA YAPI").
    """
    forms = {_bare(form) for group in terms_by_type.values() for form in group} | {_bare(form) for form in LOCAL_FORMS}
    ordered = sorted((form for form in forms if len(form) > 1), key=lambda form: (-len(form), form))
    alternatives = "|".join(form.replace("+", "[+]").replace(" ", " ?") for form in ordered)
    tail = f"(?: (?:{alternatives}))+$".replace("'", "''")
    return (
        (
            r"company_words(x) AS clean(regexp_replace(regexp_replace(replace(lower(clean(x)), 'ı', 'i'), '[''’`.]', '', 'g'),"
            r" '[^\p{L}\p{N}\p{M}&+]+', ' ', 'g'))"
        ),
        f"""company_key(x) AS coalesce(nullif(regexp_replace(regexp_replace(company_words(x), '{tail}', ''), '^(?:{_IN_FRONT}) ', ''), ''),
            company_words(x))""",
    )


def _bare(form: str) -> str:
    """A legal form as `company_words` leaves it."""
    kept = "".join(
        c if c.isalnum() or c in "&+" else " " for c in form.lower().replace("ı", "i").replace(".", "").replace("'", "")
    )
    return " ".join(kept.split())
