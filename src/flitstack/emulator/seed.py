"""What an empty environment holds: organization, business unit, roles, one application user, base currency."""

from uuid import UUID, uuid5

from flitstack.emulator.checkers import Stored
from flitstack.emulator.ddl import quoted
from flitstack.emulator.store import Store
from flitstack.emulator.values import uuid_blob

Values = dict[str, Stored]
# Same ids in every fresh environment, so that two of them compare equal.
_NAMESPACE = UUID("6f2a6b5e-6d3c-4f0e-9a57-3f1d5d7c9b10")
_CURRENCIES = {"USD": ("US Dollar", "$"), "EUR": ("Euro", "€"), "GBP": ("Pound Sterling", "£")}
# Source: Microsoft Learn, "Block file attachments": default list.
_BLOCKED = (
    "ade;adp;app;asa;ashx;asmx;asp;bas;bat;cdx;cer;chm;class;cmd;com;config;cpl;crt;csh;dll;exe;fxp;hlp;hta;htr;htw;"
    "ida;idc;idq;inf;ins;isp;its;jar;js;jse;ksh;lnk;mad;maf;mag;mam;maq;mar;mas;mat;mau;mav;maw;mda;mdb;mde;mdt;mdw;"
    "mdz;msc;msh;msh1;msh1xml;msh2;msh2xml;mshxml;msi;msp;mst;ops;pcd;pif;prf;prg;printer;pst;reg;rem;scf;scr;sct;shb;"
    "shs;shtm;shtml;soap;stm;tmp;url;vb;vbe;vbs;vsmacros;vss;vst;vsw;ws;wsc;wsf;wsh"
)


def seed_id(name: str) -> UUID:
    """The fixed id of a seeded row."""
    return uuid5(_NAMESPACE, name)


APPLICATION_USER = seed_id("application user")
_UNIT, _ORGANIZATION, _CURRENCY = (seed_id(n) for n in ("root business unit", "organization", "base currency"))


def seed(store: Store) -> None:
    """Fill an environment that was never seeded; take the known ids in any case."""
    store.root_unit, store.organization = uuid_blob(_UNIT), uuid_blob(_ORGANIZATION)
    store.base_currency = uuid_blob(_CURRENCY)
    if store.counter("seeded"):
        return
    # In one transaction: a directory is either seeded or empty, whatever happens in between.
    with store.transaction():
        _seed_organization(store)
        _seed_people(store)
        _seed_units(store)
        store.set_counter("seeded", 1)


def _seed_organization(store: Store) -> None:
    iso = store.switches.base_currency
    name, symbol = _CURRENCIES.get(iso, (iso, iso))
    put_row(store, "organization", _ORGANIZATION, {
        "name": "flitstack emulator",
        "basecurrencyid": store.base_currency,
        "maxuploadfilesize": 5_242_880,
        "blockedattachments": _BLOCKED,
        "currencydecimalprecision": 2,
        "pricingdecimalprecision": 2,
        "languagecode": 1033,
        "localeid": 1033,
    })  # fmt: skip
    put_row(store, "businessunit", _UNIT, {"name": "flitstack emulator", "organizationid": store.organization})
    put_row(store, "transactioncurrency", _CURRENCY, {
        "currencyname": name,
        "currencysymbol": symbol,
        "isocurrencycode": iso,
        "exchangerate": 1.0,
        "currencyprecision": 2,
        "organizationid": store.organization,
    })  # fmt: skip


def _seed_people(store: Store) -> None:
    put_row(store, "systemuser", APPLICATION_USER, {
        "firstname": "#",
        "lastname": "flitstack",
        "fullname": "# flitstack",
        "domainname": "flitstack@emulator.invalid",
        "internalemailaddress": "flitstack@emulator.invalid",
        "applicationid": uuid_blob(seed_id("application")),
        "businessunitid": store.root_unit,
        "organizationid": store.organization,
        "accessmode": 4,
        "isdisabled": 0,
    })  # fmt: skip
    roles = [seed_id(f"role {name}") for name in ("System Administrator", "Salesperson")]
    for id_, name in zip(roles, ("System Administrator", "Salesperson"), strict=True):
        put_row(store, "role", id_, {"name": name, "businessunitid": store.root_unit})
    many = store.schema.many_to_many.get("systemuserroles_association")
    if many is not None:
        pair = [uuid_blob(APPLICATION_USER), uuid_blob(roles[0])]
        if many.table1 != "systemuser":
            pair.reverse()
        store.connection.execute(f"INSERT INTO {store.ensure_pairs(many)} (first, second) VALUES (?, ?)", pair)


def _seed_units(store: Store) -> None:
    """The unit group and unit that every environment with Sales has. Source: Learn, "Product catalog entities"."""
    group, unit = seed_id("default unit group"), seed_id("primary unit")
    put_row(store, "uomschedule", group, {
        "name": "Default Unit",
        "baseuomname": "Primary Unit",
        "organizationid": store.organization,
    })  # fmt: skip
    put_row(store, "uom", unit, {
        "name": "Primary Unit",
        "quantity": 1.0,
        "isschedulebaseuom": 1,
        "uomscheduleid": uuid_blob(group),
        "organizationid": store.organization,
    })  # fmt: skip


def put_row(store: Store, table: str, id_: UUID, values: Values) -> None:
    """Insert or replace a row past every rule, stamped like any other; unknown columns are left out."""
    model = store.schema.tables[table]
    user = uuid_blob(APPLICATION_USER)
    stamps: Values = {
        "createdon": store.now, "modifiedon": store.now, "createdby": user, "modifiedby": user,
        "versionnumber": store.next_version(),
    }  # fmt: skip
    if model.table.states:
        stamps["statecode"] = model.table.states[0].value
        stamps["statuscode"] = model.table.states[0].default_status
    known = {k: v for k, v in (stamps | values).items() if k in model.stored}
    known[model.table.id_column] = uuid_blob(id_)
    names = ", ".join(map(quoted, known))
    marks = ", ".join("?" * len(known))
    sql = f"INSERT OR REPLACE INTO {store.ensure_rows(model, known)} ({names}) VALUES ({marks})"
    store.connection.execute(sql, list(known.values()))
