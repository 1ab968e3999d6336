"""What the environment says about itself: organisation, users, teams, currencies."""

import asyncio
from typing import Any
from uuid import UUID

from flitstack.destinations.dataverse.client import Client, query_url
from flitstack.destinations.faults import Fatal, Refused
from flitstack.destinations.port import Currency, Facts, User, reach

# Where the local emulator says that it is one; no Microsoft host answers there.
HANDSHAKE = "/flitstack-admin/"
# Source: Microsoft Learn, "Organization table" (default of maxuploadfilesize) and its default of blockedattachments.
_UPLOAD_DEFAULT_BYTES = 5_242_880
# Role template of System Administrator, the same in every environment.
_ADMINISTRATOR = "627090ff-40a3-4053-8790-584edc5be201"
_MICROSOFT_HOSTS = (".dynamics.com", ".microsoftdynamics.us", ".dynamics.cn", ".appsplatform.us")


async def read_facts(client: Client) -> Facts:
    """Asks seven questions at once; see `Facts`."""
    who = await client.get("WhoAmI")
    me = who.json()
    organization_id = UUID(me["OrganizationId"])
    organization, users, teams, currencies, is_emulator, (held, is_administrator) = await asyncio.gather(
        _all(client, "organizations", "name,languagecode,maxuploadfilesize,blockedattachments,_basecurrencyid_value"),
        _all(client, "systemusers", "fullname,internalemailaddress,domainname,isdisabled,applicationid"),
        _all(client, "teams", "name"),
        _all(client, "transactioncurrencies", "isocurrencycode,exchangerate"),
        _is_emulator(client),
        _rights(client, UUID(me["UserId"])),
    )
    own = organization[0]
    known = tuple(
        Currency(UUID(c["transactioncurrencyid"]), c["isocurrencycode"], float(c.get("exchangerate") or 1))
        for c in currencies
    )
    base = own.get("_basecurrencyid_value")
    return Facts(
        url=client.url,
        is_emulator=is_emulator,
        organization_id=organization_id,
        organization_name=own.get("name") or "",
        user_id=UUID(me["UserId"]),
        language=int(own.get("languagecode") or 1033),
        base_currency=next((c.iso_code for c in known if base and c.id == UUID(base)), ""),
        max_upload_bytes=int(own.get("maxuploadfilesize") or _UPLOAD_DEFAULT_BYTES),
        blocked_extensions=frozenset(
            extension.strip().lower().lstrip(".")
            for extension in (own.get("blockedattachments") or "").split(";")
            if extension.strip()
        ),
        users=(*map(_user, users), *map(_team, teams)),
        currencies=known,
        parallelism_hint=_hint(who.headers.get("x-ms-dop-hint")),
        privileges=held,
        is_administrator=is_administrator,
    )


async def _all(client: Client, entity_set: str, columns: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    link: str | None = query_url(entity_set, select=columns)
    while link is not None:
        page = (await client.get(link, {"Prefer": "odata.maxpagesize=5000"})).json()
        found += page["value"]
        link = page.get("@odata.nextLink")
    return found


async def _rights(client: Client, user: UUID) -> tuple[dict[str, str] | None, bool]:
    """What the user may do, and whether it is System Administrator."""
    held, roles = await asyncio.gather(_privileges(client, user), _roles(client, user))
    return held, any(_is_administrator(role) for role in roles)


async def _privileges(client: Client, user: UUID) -> dict[str, str] | None:
    """Privileges of the user by its own roles and its teams', with the widest depth; None where it may not ask.

    Source: Microsoft Learn, "RetrieveUserPrivileges Function", "RolePrivilege ComplexType".
    """
    try:
        answer = await client.get(f"systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()")
    except Refused:
        return None
    held: dict[str, str] = {}
    for one in answer.json()["RolePrivileges"]:
        name, depth = one["PrivilegeName"], one["Depth"]
        if name not in held or reach(depth) > reach(held[name]):
            held[name] = depth
    return held


async def _roles(client: Client, user: UUID) -> list[dict[str, Any]]:
    """The user's own roles; none where it may not ask."""
    try:
        return await _all(client, f"systemusers({user})/systemuserroles_association", "name,_roletemplateid_value")
    except Refused:
        return []


def _is_administrator(role: dict[str, Any]) -> bool:
    """Whatever the role is called in the environment's language, its template is one."""
    template = str(role.get("_roletemplateid_value") or "").lower()
    return template == _ADMINISTRATOR or role.get("name") == "System Administrator"


async def _is_emulator(client: Client) -> bool:
    """Whether the admin handshake is answered; Microsoft's hosts are not even asked."""
    host = client.url.partition("://")[2].partition(":")[0].lower()
    if host.endswith(_MICROSOFT_HOSTS):
        return False
    try:
        answer = await client.get(f"{client.url}{HANDSHAKE}")
        return answer.json().get("product") == "flitstack-emulator"
    except (Refused, Fatal):  # another server: no such page, or one that is no JSON
        return False


def _user(row: dict[str, Any]) -> User:
    email = row.get("internalemailaddress") or row.get("domainname") or ""
    return User(
        id=UUID(row["systemuserid"]),
        table="systemuser",
        name=row.get("fullname") or "",
        email=email.strip().lower(),
        is_disabled=bool(row.get("isdisabled")),
        is_application=bool(row.get("applicationid")),
    )


def _team(row: dict[str, Any]) -> User:
    return User(id=UUID(row["teamid"]), table="team", name=row.get("name") or "", email="", is_disabled=False)


def _hint(header: str | None) -> int:
    """The server's recommended parallelism; 4 requests at once is what its time limit allows on average."""
    return int(header) if header and header.isdigit() and int(header) > 0 else 4
