"""Value functions for numbers, money, truth values and dates, as SQL macros.

Rules: what cannot be read with certainty is NULL, never a guess. Sources of the traps: tests/staging/test_functions.py.
"""

NUMBER_MACROS = (
    # Blanks of all kinds, currency signs and codes go; (1,200.00) and 5- are negative.
    r"""number_text(x) AS regexp_replace(regexp_replace(x, '[\s\x{00A0}\x{202F}\x{2009}''’]', '', 'g'),
        '^[$€£¥₴₺₽]|[$€£¥₴₺₽]$|^(?i:usd|eur|gbp|uah|try|chf|грн\.?)|(?i:usd|eur|gbp|uah|try|chf|грн\.?|%)$', '', 'g')""",
    r"""unsigned_text(x) AS regexp_replace(number_text(x), '^\(?[-−+]?[$€£¥₴₺₽]?[-−+]?|[$€£¥₴₺₽]?[-−]?\)?$', '', 'g')""",
    r"""is_negative_text(x) AS (number_text(x) LIKE '(%)' OR regexp_matches(number_text(x), '^[$€£¥₴₺₽]?[-−]|[-−]$'))""",
    # Which sign is the decimal one: the last of the two; a lone comma with three digits behind it separates thousands.
    r"""plain_digits(u) AS CASE
        WHEN regexp_full_match(u, '\d+') THEN u
        WHEN regexp_full_match(u, '\d*\.\d+|\d+\.') THEN u
        WHEN regexp_full_match(u, '\d{1,3}(?:,\d{3})+(?:\.\d+)?') THEN replace(u, ',', '')
        WHEN regexp_full_match(u, '\d{1,3}(?:\.\d{3})+,\d+') THEN replace(replace(u, '.', ''), ',', '.')
        WHEN regexp_full_match(u, '\d{1,3}(?:\.\d{3}){2,}') THEN replace(u, '.', '')
        WHEN regexp_full_match(u, '\d*,\d+') THEN replace(u, ',', '.')
        WHEN regexp_full_match(u, '\d+(?:\.\d+)?[eE][+-]?\d{1,2}') THEN CAST(TRY_CAST(TRY_CAST(u AS DOUBLE) AS DECIMAL(38, 10)) AS VARCHAR)
        END""",
    """to_number(x) AS TRY_CAST(CASE WHEN is_negative_text(x) THEN '-' ELSE '' END || plain_digits(unsigned_text(x)) AS DECIMAL(38, 10))""",
    """to_boolean(x) AS CASE
        WHEN choice_key(x) IN ('yes', 'y', 'true', 't', '1', 'on', 'x', 'ja', 'oui', 'si', 'sí', 'evet', 'так', 'да') THEN TRUE
        WHEN choice_key(x) IN ('no', 'n', 'false', 'f', '0', 'off', 'nein', 'non', 'hayır', 'hayir', 'ні', 'нет') THEN FALSE
        END""",
)

DATE_MACROS = (
    # Four-digit years only; Dataverse knows no date before 1753.
    "known_date(d) AS CASE WHEN d >= DATE '1753-01-01' AND d < DATE '9999-12-31' THEN d END",
    r"""date_by_order(a, b, c, date_order) AS CASE
        WHEN length(a) = 4 THEN TRY_CAST(a || '-' || lpad(b, 2, '0') || '-' || lpad(c, 2, '0') AS DATE)
        WHEN length(c) <> 4 THEN NULL
        WHEN date_order = 'MDY' THEN TRY_CAST(c || '-' || lpad(a, 2, '0') || '-' || lpad(b, 2, '0') AS DATE)
        ELSE TRY_CAST(c || '-' || lpad(b, 2, '0') || '-' || lpad(a, 2, '0') AS DATE) END""",
    r"""date_part_of(x, date_order) AS date_by_order(
        regexp_extract(x, '^(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})', 1),
        regexp_extract(x, '^(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})', 2),
        regexp_extract(x, '^(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})', 3), date_order)""",
    # Hours 0-23, or 1-12 with am/pm; seconds and fraction may be absent.
    r"""time_part_of(x) AS CASE
        WHEN regexp_full_match(x, '(?i)(0?[1-9]|1[0-2])(:[0-5]\d)?(:[0-5]\d)?\s*[ap]\.?m\.?') THEN
            TRY_CAST(lpad(CAST(TRY_CAST(regexp_extract(x, '^(\d{1,2})', 1) AS INTEGER) % 12
                + CASE WHEN regexp_matches(x, '(?i)p\.?m') THEN 12 ELSE 0 END AS VARCHAR), 2, '0')
                || coalesce(nullif(regexp_extract(x, '^\d{1,2}(:[0-5]\d)', 1), ''), ':00')
                || coalesce(nullif(regexp_extract(x, '^\d{1,2}:[0-5]\d(:[0-5]\d)', 1), ''), ':00') AS TIME)
        WHEN regexp_full_match(x, '([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d{1,9})?)?') THEN
            TRY_CAST(lpad(regexp_extract(x, '^(\d{1,2})', 1), 2, '0') || ':' || regexp_extract(x, '^\d{1,2}:(\d\d)', 1)
                || coalesce(nullif(regexp_extract(x, '^\d{1,2}:\d\d(:\d\d)', 1), ''), ':00') AS TIME)
        END""",
    r"""clock_text(x) AS regexp_extract(x, '^\S*?\d[T ,]+\s*(.*?)\s*(?:Z|UTC|GMT|[+-]\d\d:?(?:\d\d)?)?$', 1)""",
    r"""offset_text(x) AS regexp_extract(x, '\d\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$', 1)""",
    r"""has_clock(x) AS regexp_matches(x, '\d[T ,]+\d{1,2}(:|\s*[apAP]\.?[mM])')""",
    r"""offset_of(o) AS CASE WHEN o IN ('', 'Z', 'UTC', 'GMT') THEN INTERVAL 0 MINUTE
        ELSE to_minutes(CAST((CASE WHEN o LIKE '-%' THEN -1 ELSE 1 END)
            * (TRY_CAST(substring(o, 2, 2) AS BIGINT) * 60 + coalesce(TRY_CAST(nullif(right(regexp_replace(substring(o, 4), ':', ''), 2), '') AS BIGINT), 0)) AS BIGINT)) END""",
    # Excel counts days from 1899-12-30 (the leap year 1900 that never was lies before any date we meet).
    r"""serial_moment(x) AS CASE WHEN regexp_full_match(x, '\d{5}(\.\d+)?')
        THEN make_timestamp(CAST(round((CAST(x AS DOUBLE) - 25569) * 86400) AS BIGINT) * 1000000) END""",
    r"""unix_moment(x) AS CASE WHEN regexp_full_match(x, '\d{13}') THEN make_timestamp(CAST(x AS BIGINT) * 1000)
        WHEN regexp_full_match(x, '\d{10}') THEN make_timestamp(CAST(x AS BIGINT) * 1000000) END""",
    r"""local_moment(x, date_order) AS CASE
        WHEN has_clock(x) THEN known_date(date_part_of(x, date_order)) + time_part_of(clock_text(x))
        WHEN regexp_full_match(x, '\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}') THEN known_date(date_part_of(x, date_order))::TIMESTAMP END""",
    # A local time that daylight saving skips or repeats is taken as the zone's rules say (the later offset's reading).
    """read_moment(x, date_order, zone) AS CASE
        WHEN x IS NULL THEN NULL
        WHEN regexp_full_match(x, '[0-9]+([.][0-9]+)?') THEN timezone('UTC', coalesce(unix_moment(x), serial_moment(x)))
        WHEN offset_text(x) <> '' AND has_clock(x) THEN timezone('UTC', local_moment(x, date_order) - offset_of(offset_text(x)))
        ELSE timezone(zone, local_moment(x, date_order)) END""",
    "to_datetime(x, date_order, zone) AS read_moment(clean(x), date_order, zone)",
    """to_date(x, date_order) AS CASE
        WHEN regexp_full_match(clean(x), '[0-9]+([.][0-9]+)?') THEN known_date(CAST(coalesce(unix_moment(clean(x)), serial_moment(clean(x))) AS DATE))
        ELSE CAST(local_moment(regexp_replace(clean(x), '(Z|UTC|GMT|[+-]\\d\\d:?\\d\\d)$', ''), date_order) AS DATE) END""",
    """plus_seconds_at(x, seconds, date_order, zone) AS to_datetime(x, date_order, zone) + to_seconds(CAST(to_number(seconds) AS DOUBLE))""",
)
