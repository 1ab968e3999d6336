"""Value functions for addresses: e-mail, hosts and phone numbers, as SQL macros."""

from flitstack.staging.engine.text import EDGE

# What no part of an address may hold.
_NOT = r'@,;:"()\[\]\\<>'
_TOP_LEVEL = rf"(?:xn--[a-z0-9-]+|[^{_NOT}./_0-9\s-]{{2,}})"

WEB_MACROS = (
    # "Name <a@b>" gives a@b; mailto:, blanks and angle brackets go; +tag and dots stay.
    f"""address_text(x) AS regexp_replace(lower(regexp_replace(
        coalesce(nullif(regexp_extract(x, '<([^<>]*@[^<>]*)>', 1), ''), x), '[{EDGE}<>]', '', 'g')), '^mailto:', '')""",
    f"""email_key(x) AS CASE WHEN regexp_full_match(address_text(x), '[^{_NOT}]+@(?:[^{_NOT}./_]+\\.)+{_TOP_LEVEL}')
        THEN address_text(x) END""",
    "email_host(x) AS split_part(email_key(x), '@', 2)",
    # Scheme (also doubled, also with a blank behind it), path, user part, port, final dots and www. go, in this order.
    rf"""bare_host(x) AS regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        regexp_replace(lower(x), '^[{EDGE}]+|[{EDGE}]+$', '', 'g'),
        '^(?:[a-z][a-z0-9+.-]*:/+[{EDGE}]*)+|^/+', ''), '[/?#].*$', ''), '^.*@', ''), ':[0-9]*$', ''), '^(?:www[0-9]?\.)+|\.+$', '', 'g')""",
    rf"""host_key(x) AS CASE WHEN regexp_full_match(bare_host(x), '(?:[^{_NOT}./_{EDGE}]+\.)+[^{_NOT}./_{EDGE}]{{2,}}')
        THEN bare_host(x) END""",
    # Digits with the leading +; 00 in front is +; an extension goes.
    r"""phone_digits(x) AS regexp_replace(regexp_replace(lower(x), '(?:ext\.?|extension|доб\.?|x|#)\s*\d+\s*$', ''), '[^0-9+]', '', 'g')""",
    """phone_key(x) AS CASE WHEN regexp_matches(phone_digits(x), '[0-9]') THEN
        CASE WHEN regexp_matches(phone_digits(x), '^(?:[+]|00)') THEN '+' ELSE '' END
        || replace(regexp_replace(phone_digits(x), '^(?:[+]|00)', ''), '+', '') END""",
)
