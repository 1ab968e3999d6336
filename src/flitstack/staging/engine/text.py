"""Value functions for plain text, as SQL macros: cleaning, comparing, counting and cutting.

`docs/functions.md` lists what each one does; `tests/staging/test_functions.py` holds the table of examples.
RE2 has no look-around, so rules are chains of plain replacements. Case is DuckDB's: lower('İ') is 'i'.
"""

# White space as people paste it: ASCII, no-break, ogham, en/em family, narrow no-break, ideographic.
_ODD_BLANK = r"\t\n\f\r\x{0085}\x{00A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}"
BLANK = f" {_ODD_BLANK}"
# Marks without width. The joiners U+200C and U+200D are not among them: emoji and Persian words are spelled with them.
INVISIBLE = r"\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}\x{2066}-\x{2069}\x{FEFF}\x{00AD}"
_JOINERS = r"\x{200C}\x{200D}"
EDGE = f"{BLANK}{INVISIBLE}{_JOINERS}"

_ASTRAL = r"[\x{10000}-\x{10FFFF}]"
# Stands beside each character outside the basic plane while text is cut; a noncharacter, so no text holds it.
_SECOND_UNIT = "\\x{FFFE}"

TEXT_MACROS = (
    f"""edge_trim(x) AS nullif(regexp_replace(x, '^[{EDGE}]+|[{EDGE}]+$', '', 'g'), '')""",
    # A blank alone is left alone: each match costs a tenth of a microsecond.
    f"""clean(x) AS edge_trim(regexp_replace(regexp_replace(x, '[{INVISIBLE}]+', '', 'g'),
        ' [{BLANK}]+|[{_ODD_BLANK}][{BLANK}]*', ' ', 'g'))""",
    "label_key(x) AS lower(clean(x))",
    "choice_key(x) AS bare_key(clean(x))",
    # Of a text that is clean. No pattern: an engine that works through a list makes each anew for every two thousand values.
    "bare_key(x) AS nullif(replace(replace(replace(replace(replace(replace(lower(x), ' ', ''), '_', ''), '.', ''), '#', ''), '/', ''), '-', ''), '')",
    # A list in one cell; a list that came from JSON is JSON text. What is cleaned before it is split needs its ends trimmed
    # of blanks; joiners may stand at them, too.
    f"""split_list(x, separator) AS list_filter(CASE
        WHEN x LIKE '[%]' AND json_valid(x) THEN list_transform(TRY_CAST(CAST(x AS JSON) AS VARCHAR[]), lambda v: clean(v))
        WHEN regexp_matches(separator, '[{EDGE}]') OR regexp_matches(x, '[{_JOINERS}]')
            THEN list_transform(string_split(x, separator), lambda v: clean(v))
        ELSE list_transform(string_split(coalesce(clean(x), left(x, 0)), separator), lambda v: nullif(trim(v), '')) END,
        lambda v: v IS NOT NULL)""",
    # The keys of a list's values, each once, in the order of the list (list_distinct keeps none).
    """choice_keys(x, separator) AS list_transform([list_transform(split_list(x, separator), lambda v: bare_key(v))], lambda keys:
        list_filter(keys, lambda v, i: v IS NOT NULL AND list_position(keys, v) = i))[1]""",
    "first_of(x, separator) AS clean(split_part(x, separator, 1))",
    # UTF-16 units, as SQL Server's nvarchar counts: a character outside the basic plane takes two.
    "utf16_length(x) AS length(x) + length(regexp_replace(x, '[^\\x{10000}-\\x{10FFFF}]+', '', 'g'))",
    # Every such character gets a second unit beside it; one that the cut parted from its second unit goes.
    f"""cut_utf16(x, units) AS CASE WHEN utf16_length(x) <= units THEN x ELSE regexp_replace(regexp_replace(
        left(regexp_replace(x, '({_ASTRAL})', '\\1' || chr(65534), 'g'), CAST(units AS BIGINT)),
        '{_ASTRAL}$', ''), '{_SECOND_UNIT}', '', 'g') END""",
    r"""shape(x) AS regexp_replace(regexp_replace(regexp_replace(left(x, 24), '\p{Lu}', 'A', 'g'), '[\p{Ll}\p{Lo}\p{Lt}\p{Lm}]', 'a', 'g'),
        '\p{Nd}', '9', 'g') || CASE WHEN length(x) > 24 THEN '…' ELSE '' END""",
    # What a folder or a file in a document library is called: a changed text gets a mark of its own, so that two never meet.
    """path_part(x) AS CASE WHEN regexp_full_match(clean(x), '[A-Za-z0-9_-]{1,80}') THEN clean(x)
        ELSE left(regexp_replace(clean(x), '[^A-Za-z0-9_-]+', '-', 'g'), 80) || '-' || left(md5(clean(x)), 8) END""",
    # Source: Microsoft Support, "Restrictions and limitations in OneDrive and SharePoint".
    r"""file_letters(x) AS regexp_replace(clean(x), '["*:<>?/\\|#%]+', '_', 'g')""",
    r"""file_ending(x) AS regexp_extract(x, '\.[A-Za-z0-9]{1,10}$')""",
    """file_label(x) AS nullif(rtrim(CASE WHEN length(file_letters(x)) <= 120 THEN file_letters(x)
        ELSE left(file_letters(x), 120 - length(file_ending(file_letters(x)))) || file_ending(file_letters(x)) END, '. '), '')""",
    "source_digest(system, object, key) AS md5(system || '/' || object || '/' || key)",
)
