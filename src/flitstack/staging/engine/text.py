"""Value functions for text, addresses, hosts, companies and people, as SQL macros.

`docs/functions.md` lists what each one does; `tests/staging/test_functions.py` holds the table of examples.
RE2 has no look-around, so rules are chains of plain replacements.
"""

from functools import cache

from cleanco.termdata import terms_by_type

# White space as people paste it: ASCII, no-break, ogham, en/em family, narrow no-break, ideographic; zero-width marks.
BLANK = r"\s\x{00A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}"
INVISIBLE = r"\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}\x{FEFF}\x{00AD}"

# Legal forms that cleanco's list lacks.
LOCAL_FORMS = (
    "ТОВ",
    "ООО",
    "ЗАО",
    "ПАТ",
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

TEXT_MACROS = (
    f"""clean(x) AS nullif(trim(regexp_replace(regexp_replace(x, '[{INVISIBLE}]', '', 'g'), '[{BLANK}]+', ' ', 'g')), '')""",
    f"""edge_trim(x) AS nullif(regexp_replace(x, '^[{BLANK}{INVISIBLE}]+|[{BLANK}{INVISIBLE}]+$', '', 'g'), '')""",
    "choice_key(x) AS nullif(regexp_replace(lower(clean(x)), '[ _.#/\\-]+', '', 'g'), '')",
    "label_key(x) AS lower(clean(x))",
    # An address: "Name <a@b>" gives a@b; mailto:, blanks and angle brackets go; +tag and dots stay.
    f"""address_text(x) AS lower(regexp_replace(regexp_replace(
        coalesce(nullif(regexp_extract(x, '<([^<>]*@[^<>]*)>', 1), ''), x),
        '[{BLANK}{INVISIBLE}<>]', '', 'g'), '(?i)^mailto:', ''))""",
    """email_key(x) AS CASE WHEN regexp_full_match(address_text(x),
        '[^@,;:"()\\[\\]\\\\]+@(?:[^@.,;:"()\\[\\]\\\\_/]+\\.)+[^@.,;:"()\\[\\]\\\\_/0-9]{2,}') THEN address_text(x) END""",
    "email_host(x) AS split_part(email_key(x), '@', 2)",
    # A host: scheme (also doubled), user part, www., port, path, case and a final dot go.
    f"""bare_host(x) AS regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        lower(regexp_replace(x, '[{BLANK}{INVISIBLE}]', '', 'g')),
        '^(?:[a-z][a-z0-9+.\\-]*:/+)+|^/+', ''), '[/?#].*$', ''), '^.*@', ''), ':[0-9]*$|^(?:www[0-9]?\\.)+|\\.+$', '', 'g')""",
    """host_key(x) AS CASE WHEN regexp_full_match(bare_host(x), '(?:[^.@:/\\s_]+\\.)+[^.@:/\\s_]{2,}') THEN bare_host(x) END""",
    "split_list(x, separator) AS list_filter(list_transform(string_split(x, separator), lambda v: clean(v)), lambda v: v IS NOT NULL)",
    "first_of(x, separator) AS clean(split_part(x, separator, 1))",
    "phone_key(x) AS nullif(regexp_replace(x, '[^0-9+]', '', 'g'), '')",
    # UTF-16 units, as SQL Server's nvarchar counts: characters outside the basic plane take two.
    r"utf16_length(x) AS length(x) + length(regexp_replace(x, '[^\x{10000}-\x{10FFFF}]', '', 'g'))",
    """cut_utf16(x, units) AS CASE WHEN utf16_length(x) <= units THEN x
        ELSE list_aggregate(list_filter(list_transform(range(0, units + 1), lambda n: left(x, n::BIGINT)),
             lambda v: utf16_length(v) <= units), 'last') END""",
    r"""shape(x) AS regexp_replace(regexp_replace(regexp_replace(left(x, 24), '\p{Lu}', 'A', 'g'), '[\p{Ll}\p{Lo}\p{Lt}\p{Lm}]', 'a', 'g'),
        '\p{Nd}', '9', 'g') || CASE WHEN length(x) > 24 THEN '…' ELSE '' END""",
    "source_digest(system, object, key) AS md5(system || '/' || object || '/' || key)",
)

NAME_MACROS = (
    # "(via LinkedIn)" and the like are the source's remark, not the person's name.
    r"name_text(x) AS clean(regexp_replace(x, '\((?:via|from|через)[^)]*\)', '', 'gi'))",
    "is_shouted(x) AS length(regexp_replace(x, '[^\\p{L}]', '', 'g')) > 2 AND x = upper(x) AND x <> lower(x)",
    # Title case a word: first letter stays, the rest is lowered; per blank, hyphen and apostrophe.
    """calm(x) AS CASE WHEN is_shouted(x) THEN
        array_to_string(list_transform(string_split(x, ' '), lambda w:
            array_to_string(list_transform(string_split(w, '-'), lambda p:
                array_to_string(list_transform(string_split(p, ''''), lambda q: left(q, 1) || lower(substring(q, 2))), '''')), '-')), ' ')
        ELSE x END""",
    # One name column, "Last, First", or an address where a name should be.
    """person_name(first_name, last_name) AS (
        CASE
        WHEN name_text(first_name) LIKE '%@%' AND name_text(last_name) IS NULL
            THEN {'given': NULL::VARCHAR, 'family': NULL::VARCHAR, 'rank': 0}
        WHEN name_text(last_name) IS NULL AND name_text(first_name) LIKE '%,%'
            THEN {'given': calm(clean(split_part(name_text(first_name), ',', 2))),
                  'family': calm(clean(split_part(name_text(first_name), ',', 1))), 'rank': 3}
        WHEN name_text(first_name) IS NULL AND name_text(last_name) LIKE '%,%'
            THEN {'given': calm(clean(split_part(name_text(last_name), ',', 2))),
                  'family': calm(clean(split_part(name_text(last_name), ',', 1))), 'rank': 3}
        ELSE {'given': calm(name_text(first_name)), 'family': calm(name_text(last_name)),
              'rank': CASE
                WHEN name_text(first_name) IS NULL AND name_text(last_name) IS NULL THEN 0
                WHEN name_text(first_name) IS NULL OR name_text(last_name) IS NULL THEN 1
                WHEN regexp_full_match(name_text(first_name), '(?:\\p{Lu}\\.?){1,2}|\\p{L}\\.|\\p{Ll}') THEN 2
                WHEN is_shouted(name_text(first_name)) OR is_shouted(name_text(last_name)) THEN 3
                WHEN name_text(first_name) IS DISTINCT FROM clean(first_name)
                    OR name_text(last_name) IS DISTINCT FROM clean(last_name) THEN 4
                ELSE 5 END}
        END)""",
    "given_name(first_name, last_name) AS person_name(first_name, last_name).given",
    "family_name(first_name, last_name) AS person_name(first_name, last_name).family",
    "name_rank(first_name, last_name) AS person_name(first_name, last_name).rank",
)


@cache
def company_macros() -> tuple[str, ...]:
    """`company_key`: lower case, punctuation and legal form gone. The forms come from cleanco and LOCAL_FORMS.

    Only a form at the end goes (twice: "Ltd. Co."), or one of the leading Slavic ones; a name that is nothing but a
    form keeps it.
    """
    forms = {_bare(form) for group in terms_by_type.values() for form in group} | {_bare(form) for form in LOCAL_FORMS}
    ordered = sorted((form for form in forms if len(form) > 1), key=lambda form: (-len(form), form))
    alternatives = "|".join(form.replace(" ", " ?") for form in ordered)
    tail = f"(?: (?:{alternatives}))+$".replace("'", "''")
    head = "^(?:тов|ооо|зао|пат|ат|пп|фоп|ип) "
    return (
        r"company_words(x) AS clean(regexp_replace(regexp_replace(lower(clean(x)), '[''’`.]', '', 'g'), '[^\p{L}\p{N}&+]+', ' ', 'g'))",
        f"company_key(x) AS coalesce(nullif(regexp_replace(regexp_replace(company_words(x), '{tail}', ''), '{head}', ''), ''), company_words(x))",
    )


def _bare(form: str) -> str:
    """A legal form as `company_words` leaves it."""
    kept = "".join(c if c.isalnum() or c in "&+" else " " for c in form.lower().replace(".", "").replace("'", ""))
    return " ".join(kept.split())
