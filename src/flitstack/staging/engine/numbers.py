"""Value functions for numbers, money and truth values, as SQL macros. What cannot be read with certainty is NULL."""

_CURRENCY = r"(?:[$€£¥₴₺₽₹]|R\$|zł|(?i:usd|eur|gbp|uah|try|chf|pln|cad|aud|tl|грн\.?))"
_DIGITS = r"[0-9](?:[0-9.,''’ ]*[0-9.,])?|[.,][0-9]+"

# ( sign currency sign digits currency|% sign ): every part but the digits may be absent.
_NUMBER = rf"^(\()?([-+])? ?({_CURRENCY})? ?([-+])? ?({_DIGITS}) ?({_CURRENCY}|%)? ?(-)?(\))?$"
_PARTS = "['open', 'before', 'unit', 'behind_unit', 'digits', 'unit_behind', 'last', 'shut']"

NUMBER_MACROS = (
    # Blanks of all kinds are one blank; the typographic minus is a minus.
    f"number_parts(x) AS regexp_extract(replace(clean(x), '−', '-'), '{_NUMBER}', {_PARTS})",
    "signs_of(p) AS (p.before <> '')::INT + (p.behind_unit <> '')::INT + (p.last <> '')::INT + (p.open <> '')::INT",
    "is_negative(p) AS p.before = '-' OR p.behind_unit = '-' OR p.last = '-' OR p.open <> ''",
    # Which sign is the decimal one: the last of the two. A lone comma before exactly three digits separates thousands,
    # a lone dot is decimal; an export that means it otherwise names its decimal sign (second argument).
    r"""plain_digits(u) AS CASE
        WHEN regexp_full_match(u, '\d+') THEN u
        WHEN regexp_full_match(u, '\d{1,3}(?:[ ''’]\d{3})+(?:[.,]\d*)?') THEN replace(regexp_replace(u, '[ ''’]', '', 'g'), ',', '.')
        WHEN regexp_full_match(u, '\d*\.\d+|\d+\.') THEN u
        WHEN regexp_full_match(u, '[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?') THEN replace(u, ',', '')
        WHEN regexp_full_match(u, '[1-9]\d?(?:,\d{2})*,\d{3}(?:\.\d*)?') THEN replace(u, ',', '')
        WHEN regexp_full_match(u, '[1-9]\d{0,2}(?:\.\d{3})+,\d*') THEN replace(replace(u, '.', ''), ',', '.')
        WHEN regexp_full_match(u, '[1-9]\d{0,2}(?:\.\d{3}){2,}') THEN replace(u, '.', '')
        WHEN regexp_full_match(u, '\d*,\d+|\d+,') THEN replace(u, ',', '.')
        END""",
    r"""plain_digits_by(u, decimal_sign) AS CASE decimal_sign
        WHEN '.' THEN CASE WHEN regexp_full_match(u, '(?:\d*|\d{1,3}(?:[, ''’]\d{3})+)(?:\.\d*)?') THEN regexp_replace(u, '[, ''’]', '', 'g') END
        WHEN ',' THEN CASE WHEN regexp_full_match(u, '(?:\d*|\d{1,3}(?:[. ''’]\d{3})+)(?:,\d*)?')
            THEN replace(regexp_replace(u, '[. ''’]', '', 'g'), ',', '.') END
        END""",
    """signed_number(p, digits) AS CASE WHEN signs_of(p) <= 1 AND (p.open = '') = (p.shut = '')
        THEN TRY_CAST(CASE WHEN is_negative(p) THEN '-' ELSE '' END || digits AS DECIMAL(38, 10)) END""",
    # A unit has three letters at most.
    "may_be_number(x) AS regexp_matches(x, '[0-9]') AND NOT regexp_matches(x, '[A-Za-z]{4}')",
    # 1.5E+3 as spreadsheets write it.
    r"""exponent_number(x) AS CASE WHEN regexp_full_match(clean(x), '[-+]?\d+(?:\.\d+)?[eE][+-]?\d{1,2}')
        THEN TRY_CAST(TRY_CAST(clean(x) AS DOUBLE) AS DECIMAL(38, 10)) END""",
    # As programs write them, first: most numbers of most exports.
    r"""to_number(x) AS CASE WHEN regexp_full_match(x, '-?[0-9]{1,18}(?:\.[0-9]{1,10})?') THEN CAST(x AS DECIMAL(38, 10))
            WHEN may_be_number(x) THEN coalesce(list_transform([number_parts(x)], lambda parts:
                signed_number(parts, plain_digits(parts.digits)))[1], exponent_number(x)) END,
        (x, decimal_sign) AS CASE WHEN may_be_number(x) THEN coalesce(list_transform([number_parts(x)], lambda parts:
            signed_number(parts, plain_digits_by(parts.digits, decimal_sign)))[1], exponent_number(x)) END""",
    # National Provider Identifier: ten digits whose Luhn sum over 80840 + number ends in 0. Source: CMS, "NPI check digit".
    r"""is_npi(x) AS CASE WHEN clean(x) IS NULL THEN NULL WHEN NOT regexp_full_match(clean(x), '[12]\d{9}') THEN FALSE
        ELSE (24 + list_sum(list_transform(range(1, 11), lambda place:
            CASE WHEN place % 2 = 0 THEN CAST(clean(x)[place] AS INT)
                 ELSE (CAST(clean(x)[place] AS INT) * 2) // 10 + (CAST(clean(x)[place] AS INT) * 2) % 10 END))) % 10 = 0 END""",
    """to_boolean(x) AS list_transform([choice_key(x)], lambda said: CASE
        WHEN said IN ('yes', 'y', 'true', 't', '1', '1.0', 'on', 'x', 'ja', 'oui', 'si', 'sí', 'evet', 'так', 'да', '✓', '✔') THEN TRUE
        WHEN said IN ('no', 'n', 'false', 'f', '0', '0.0', 'off', 'nein', 'non', 'hayır', 'hayir', 'ні', 'нет') THEN FALSE
        END)[1]""",
)
