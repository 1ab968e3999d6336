"""Value functions for dates and moments, as SQL macros.

The order of day and month is given (`DMY` | `MDY` | `YMD`), never inferred; what cannot be read with certainty is NULL.
"""

_OFFSET = r"Z|UTC|GMT|[+-]\d\d(?::?\d\d)?"
_ISO_DAY, _ISO_TIME = r"(?:18|19|20)\d\d-\d\d-\d\d", r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_THREE_NUMBERS = r"^(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})"

# A macro's arguments are pasted where it uses them. What is used more than once is bound to a lambda's parameter; else nested
# macros grow beyond what the engine plans in reasonable time.
DATE_MACROS = (
    # Four-digit years only; Dataverse knows no date before 1753 and none after 9999-12-30.
    """known_date(d) AS list_transform([d], lambda known_day:
        CASE WHEN known_day >= DATE '1753-01-01' AND known_day < DATE '9999-12-31' THEN known_day END)[1]""",
    """date_by_order(a, b, c, date_order) AS CASE
        WHEN length(a) = 4 THEN TRY_CAST(a || '-' || lpad(b, 2, '0') || '-' || lpad(c, 2, '0') AS DATE)
        WHEN length(c) <> 4 THEN NULL
        WHEN date_order = 'MDY' THEN TRY_CAST(c || '-' || lpad(a, 2, '0') || '-' || lpad(b, 2, '0') AS DATE)
        WHEN date_order = 'DMY' THEN TRY_CAST(c || '-' || lpad(b, 2, '0') || '-' || lpad(a, 2, '0') AS DATE) END""",
    f"date_numbers(x) AS regexp_extract(x, '{_THREE_NUMBERS}', ['a', 'b', 'c'])",
    """date_part_of(x, date_order) AS list_transform([date_numbers(x)], lambda date_parts:
        date_by_order(date_parts.a, date_parts.b, date_parts.c, date_order))[1]""",
    # Hours 0-23, or 1-12 with am/pm; minutes and seconds may be absent; fractions of a second are dropped: Dataverse keeps none.
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
    r"""has_clock(x) AS regexp_matches(x, '\d[T ,]+\d{1,2}(:|\s*[apAP]\.?[mM])')""",
    rf"""clock_text(x) AS regexp_extract(x, '^\S*?\d[T ,]+\s*(.*?)\s*(?:{_OFFSET})?$', 1)""",
    rf"""offset_text(x) AS regexp_extract(x, '\d\s*({_OFFSET})$', 1)""",
    """offset_of(o) AS CASE WHEN o IN ('', 'Z', 'UTC', 'GMT') THEN INTERVAL 0 MINUTE
        ELSE to_minutes(CAST((CASE WHEN o LIKE '-%' THEN -1 ELSE 1 END)
            * (TRY_CAST(substring(o, 2, 2) AS BIGINT) * 60
               + coalesce(TRY_CAST(nullif(regexp_replace(substring(o, 4), ':', ''), '') AS BIGINT), 0)) AS BIGINT)) END""",
    # Excel counts days from 1899-12-30 (the leap year 1900 that never was lies before any date we meet).
    r"""serial_moment(x) AS CASE WHEN regexp_full_match(x, '\d{5}(\.\d+)?')
        THEN make_timestamp(CAST(round((CAST(x AS DOUBLE) - 25569) * 86400) AS BIGINT) * 1000000) END""",
    r"""unix_moment(x) AS CASE WHEN regexp_full_match(x, '\d{13}') THEN make_timestamp(CAST(x AS BIGINT) // 1000 * 1000000)
        WHEN regexp_full_match(x, '\d{10}') THEN make_timestamp(CAST(x AS BIGINT) * 1000000) END""",
    # 20240115: eight digits of a plausible century.
    r"""compact_date(x) AS CASE WHEN regexp_full_match(x, '(?:18|19|20|21)\d{6}')
        THEN TRY_CAST(left(x, 4) || '-' || substring(x, 5, 2) || '-' || right(x, 2) AS DATE) END""",
    r"""local_moment(x, date_order) AS CASE
        WHEN has_clock(x) THEN known_date(date_part_of(x, date_order))
            + list_transform([clock_text(x)], lambda clock: time_part_of(clock))[1]
        WHEN regexp_full_match(x, '\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}') THEN known_date(date_part_of(x, date_order))::TIMESTAMP
        ELSE compact_date(x)::TIMESTAMP END""",
    # Unix times are UTC; a serial is a spreadsheet's local time. A local time that daylight saving skips is read an hour
    # later, one that happens twice as the second (winter) one.
    """read_moment(x, date_order, zone) AS coalesce(
        timezone('UTC', unix_moment(x)),
        timezone(zone, serial_moment(x)),
        list_transform([{'at': local_moment(x, date_order), 'off': CASE WHEN has_clock(x) THEN offset_text(x) ELSE '' END}],
            lambda found: CASE WHEN found.off <> '' THEN timezone('UTC', found.at - offset_of(found.off))
                ELSE timezone(zone, found.at) END)[1])""",
    # As programs write them, first: most moments of most exports, in a sixth of the time.
    rf"""to_datetime(x, date_order, zone) AS CASE
        WHEN regexp_full_match(x, '{_ISO_DAY}[ T]{_ISO_TIME}(?:Z|\+00:00)') THEN TRY_CAST(x AS TIMESTAMPTZ)
        WHEN regexp_full_match(x, '{_ISO_DAY}(?:[ T]{_ISO_TIME})?') THEN timezone(zone, TRY_CAST(x AS TIMESTAMP))
        ELSE list_transform([clean(x)], lambda moment_text: read_moment(moment_text, date_order, zone))[1] END""",
    # The day as written: an offset or a zone does not move it.
    """read_day(x, date_order) AS known_date(CAST(coalesce(unix_moment(x), serial_moment(x), local_moment(x, date_order)) AS DATE))""",
    f"""to_date(x, date_order) AS CASE WHEN regexp_full_match(x, '{_ISO_DAY}') THEN TRY_CAST(x AS DATE)
        ELSE list_transform([clean(x)], lambda day_text: read_day(day_text, date_order))[1] END""",
    # Names of days as schedules write them: 1 is Monday, as in ISO 8601.
    """weekday_number(x) AS CASE
        WHEN regexp_matches(x, '^(mon|пн|пон|lun|pzt|paz[aă]rtesi)') THEN 1
        WHEN regexp_matches(x, '^(tue|вт|вів|mar|sal)') THEN 2
        WHEN regexp_matches(x, '^(wed|ср|сер|mie|mer|çar)') THEN 3
        WHEN regexp_matches(x, '^(thu|чт|чет|jue|jeu|per)') THEN 4
        WHEN regexp_matches(x, '^(fri|пт|п.ят|vie|ven|cum?a)') THEN 5
        WHEN regexp_matches(x, '^(sat|сб|суб|sáb|sam|cmt|cumartesi)') THEN 6
        WHEN regexp_matches(x, '^(sun|нд|нед|вс|dom|dim|paz$|pazar$)') THEN 7 END""",
    # A repeating schedule as single days (ISO text): weekdays within a period, without exceptions. NULL when a part of it
    # cannot be read: nothing is guessed.
    r"""session_dates_of(days, first_day, last_day, missing, readable) AS CASE
        WHEN readable AND first_day <= last_day AND date_diff('day', first_day, last_day) < 3700 THEN
            list_transform(list_filter(generate_series(first_day::TIMESTAMP, last_day::TIMESTAMP, INTERVAL 1 DAY),
                lambda moment: list_contains(days, isodow(moment)) AND NOT list_contains(missing, moment::DATE)),
                lambda kept: strftime(kept, '%Y-%m-%d')) END""",
    r"""session_dates_at(weekdays, period, exceptions, date_order) AS list_transform([{
            'days': list_transform(split_list(lower(weekdays), ','), lambda word: weekday_number(word)),
            'ends': string_split_regex(clean(period), '\s*(?:\.\.|–|—| - | to | по )\s*'),
            'missing': list_transform(coalesce(split_list(exceptions, ','), []), lambda text_day: to_date(text_day, date_order))}],
        lambda plan: session_dates_of(plan.days, to_date(plan.ends[1], date_order), to_date(plan.ends[2], date_order), plan.missing,
            len(plan.ends) = 2 AND len(list_filter(plan.days, lambda number: number IS NULL)) = 0
            AND len(list_filter(plan.missing, lambda gap: gap IS NULL)) = 0))[1]""",
    """plus_seconds_at(x, seconds, date_order, zone) AS to_datetime(x, date_order, zone) + to_seconds(CAST(to_number(seconds) AS DOUBLE))""",
)
