"""Value functions for people's names, as SQL macros.

Two arguments: the columns for given and family name. One argument: a column that holds the whole name.
"""

# What may stand between a given and a family name and belongs to the latter.
_PARTICLES = "van|von|vom|zu|zur|der|den|de|del|della|di|da|dos|das|du|la|le|ten|ter|bin|ibn|al|el|ben|mac|st[.]?"
_SUFFIXES = "jr|sr|ii|iii|iv|esq|ph[.]?d|m[.]?d|inc|llc|ltd|gmbh"
_TITLES = "mr|mrs|ms|miss|dr|prof|herr|frau|sr|sra|m|mme|пан|пані"

_NONE = "{'given': NULL::VARCHAR, 'family': NULL::VARCHAR, 'rank': 0}"

NAME_MACROS = (
    # "(via LinkedIn)" is the source's remark; "Ana <ana@x>" keeps Ana; an address alone is no name.
    r"""name_remark_gone(x) AS clean(regexp_replace(regexp_replace(x, '\((?:via|from|через)[^)]*\)', '', 'gi'), '<[^<>]*@[^<>]*>', '', 'g'))""",
    """name_text(x) AS list_transform([name_remark_gone(x)], lambda remark_gone:
        CASE WHEN remark_gone NOT LIKE '%@%' THEN remark_gone END)[1]""",
    "is_shouted(x) AS length(regexp_replace(x, '[^\\p{L}]', '', 'g')) > 2 AND x = upper(x) AND x <> lower(x)",
    # Where a text holds letters that only Turkish has, its capital I is a dotless one.
    "lower_name(x, whole) AS CASE WHEN regexp_matches(whole, '[İĞ]') THEN lower(replace(x, 'I', 'ı')) ELSE lower(x) END",
    # First letters stay, the rest is lowered: per blank, hyphen and apostrophe.
    """calm(x) AS CASE WHEN is_shouted(x) THEN
        array_to_string(list_transform(string_split(x, ' '), lambda w:
            array_to_string(list_transform(string_split(w, '-'), lambda p:
                array_to_string(list_transform(string_split(p, ''''), lambda q:
                    left(q, 1) || lower_name(substring(q, 2), x)), '''')), '-')), ' ')
        ELSE x END""",
    # "Last, First", but not "Smith, Jr." and not "Acme, Inc.".
    f"is_turned(x) AS x LIKE '%_,_%' AND NOT regexp_full_match(x, '(?i)[^,]+,\\s*(?:{_SUFFIXES})[.]?')",
    """turned_name(x) AS {'given': clean(substring(x, strpos(x, ',') + 1)), 'family': clean(split_part(x, ',', 1)), 'rank': 3}""",
    """plain_name(first_name, last_name, original_first, original_last) AS {'given': first_name, 'family': last_name,
        'rank': CASE
            WHEN first_name IS NULL AND last_name IS NULL THEN 0
            WHEN first_name IS NULL OR last_name IS NULL THEN 1
            WHEN regexp_full_match(first_name, '(?:\\p{Lu}\\.? ?){1,2}|\\p{L}\\.|\\p{Ll}') THEN 2
            WHEN is_shouted(first_name) OR is_shouted(last_name) THEN 3
            WHEN first_name IS DISTINCT FROM original_first OR last_name IS DISTINCT FROM original_last THEN 4
            ELSE 5 END}""",
    # Nothing is done to it: words, the first beginning with a capital and going on in small letters.
    r"is_plain(x) AS regexp_full_match(x, '\p{Lu}\p{Ll}+(?:[ ''’-]?\p{L}+)*')",
    # A whole name: titles go, the last word with its particles is the family name, a word alone is a family name.
    f"untitled(x) AS regexp_replace(x, '(?i)^(?:(?:{_TITLES})[.]? +)+', '')",
    f"""family_part(x) AS regexp_extract(x, '(?i)^(?:.*? )??((?:(?:{_PARTICLES}) )*[^ ]+(?:,? (?:{_SUFFIXES})[.]?)?)$', 1)""",
    """calmed(chosen_name) AS list_transform([chosen_name], lambda chosen:
        {'given': calm(chosen.given), 'family': calm(chosen.family), 'rank': chosen.rank})[1]""",
    """whole_name(x) AS list_transform([{'bare': untitled(x), 'family': family_part(untitled(x))}], lambda cut: CASE
        WHEN x IS NULL THEN """
    + _NONE
    + """
        WHEN is_turned(x) THEN turned_name(x)
        ELSE list_transform([clean(left(cut.bare, length(cut.bare) - length(cut.family)))], lambda given_part:
            plain_name(given_part, cut.family, given_part, cut.family))[1] END)[1]""",
    # Bound once: names and their unremarked forms are used many times over (see dates.py).
    """person_name(full_name) AS calmed(list_transform([name_text(full_name)], lambda whole_text: whole_name(whole_text))[1]),
        (first_name, last_name) AS CASE
            WHEN is_plain(first_name) AND is_plain(last_name) THEN {'given': first_name, 'family': last_name, 'rank': 5}
            ELSE calmed(list_transform(
            [{'f': name_text(first_name), 'l': name_text(last_name), 'of': clean(first_name), 'ol': clean(last_name)}],
            lambda halves: CASE
                WHEN halves.l IS NULL AND is_turned(halves.f) THEN turned_name(halves.f)
                WHEN halves.f IS NULL AND is_turned(halves.l) THEN turned_name(halves.l)
                ELSE plain_name(halves.f, halves.l, halves.of, halves.ol) END)[1]) END""",
    "given_name(full_name) AS person_name(full_name).given, (first_name, last_name) AS person_name(first_name, last_name).given",
    "family_name(full_name) AS person_name(full_name).family, (first_name, last_name) AS person_name(first_name, last_name).family",
    # How much a name tells, for choosing among duplicates: 0 none, 1 one part, 2 initials, 3 turned or shouted, 4 with a remark, 5 plain.
    "name_rank(full_name) AS person_name(full_name).rank, (first_name, last_name) AS person_name(first_name, last_name).rank",
)
