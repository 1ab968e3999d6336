"""Law: a table made by the API, exported and imported into an empty environment, is the same table."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from solution_driver import CRM, Maker, column, differences, documents, lookup, many

_BAD = {"min_codepoint": 32, "exclude_categories": ("Cs", "Cc", "Cn")}
words = st.text(st.characters(**_BAD), min_size=1, max_size=20).filter(str.strip)  # type: ignore[arg-type]
labels = st.dictionaries(st.sampled_from([1033, 1031, 1041, 1025]), words, min_size=1).map(
    lambda texts: {"LocalizedLabels": [{"Label": text, "LanguageCode": code} for code, text in texts.items()]}
)
descriptions = st.one_of(st.just({}), labels.map(lambda found: {"Description": found}))
levels = st.sampled_from(["None", "Recommended", "ApplicationRequired"]).map(
    lambda level: {"RequiredLevel": {"Value": level}}
)
option_lists = st.lists(
    st.fixed_dictionaries(
        {"Value": st.integers(0, 2**31 - 1), "Label": labels},
        optional={"Description": labels, "Color": st.sampled_from(["#ff0000", "#0000FF"]), "ExternalValue": words},
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda option: option["Value"],
)


def ordered(low: float, high: float) -> st.SearchStrategy[dict[str, Any]]:
    whole = isinstance(low, int)
    number = st.integers(int(low), int(high)) if whole else st.floats(low, high, allow_subnormal=False)
    return st.tuples(number, number).map(lambda pair: {"MinValue": min(pair), "MaxValue": max(pair)})


def choices(members: list[dict[str, Any]]) -> dict[str, Any]:
    return {"OptionSet": {"IsGlobal": False, "OptionSetType": "Picklist", "Options": members}}


def booleans(pair: tuple[Any, Any]) -> dict[str, Any]:
    return {"OptionSet": {"FalseOption": {"Value": 0, "Label": pair[0]}, "TrueOption": {"Value": 1, "Label": pair[1]}}}


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda found: {name: value for part in found for name, value in part.items()})


def member(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return values.map(lambda value: {name: value})


formats = st.sampled_from(["Text", "TextArea", "Email", "Phone", "Url", "TickerSymbol", "RichText", "Json"])
KINDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "String": merged(member("MaxLength", st.integers(1, 4000)), member("FormatName", member("Value", formats))),
    "Memo": member("MaxLength", st.integers(1, 1_048_576)),
    "Integer": ordered(-(2**31), 2**31 - 1),
    "BigInt": st.just({}),
    "Decimal": merged(ordered(-1e11, 1e11), member("Precision", st.integers(0, 10))),
    "Double": merged(ordered(-1e11, 1e11), member("Precision", st.integers(0, 5))),
    "Money": merged(ordered(-922337203685477, 922337203685477), member("PrecisionSource", st.integers(0, 2))),
    "DateTime": st.sampled_from([
        {"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}},
        {"Format": "DateOnly", "DateTimeBehavior": {"Value": "UserLocal"}},
        {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "TimeZoneIndependent"}},
    ]),
    "Boolean": merged(st.tuples(labels, labels).map(booleans), member("DefaultValue", st.booleans())),
    "Picklist": option_lists.map(choices),
    "MultiSelectPicklist": option_lists.map(choices),
    "File": member("MaxSizeInKB", st.integers(1, 10_485_760)),
    "Image": member("MaxSizeInKB", st.integers(1, 30_720)),
}  # fmt: skip
columns = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: merged(member("Kind", st.just(kind)), member("DisplayName", labels), descriptions, levels, KINDS[kind])
)
tables = st.fixed_dictionaries({
    "table": merged(
        member("DisplayName", labels), member("DisplayCollectionName", labels), descriptions,
        member("OwnershipType", st.sampled_from(["UserOwned", "OrganizationOwned"])),
        member("HasNotes", st.booleans()), member("HasActivities", st.booleans()),
    ),
    "columns": st.lists(columns, max_size=5),
    "targets": st.lists(st.sampled_from(["account", "contact", "lead", "new_thing"]), max_size=3, unique=True),
    "partner": st.sampled_from([None, "account", "new_thing"]),
})  # fmt: skip


def build(maker: Maker, drawn: dict[str, Any]) -> None:
    maker.solution()
    maker.table("new_Thing", "Sample", **drawn["table"])
    for number, body in enumerate(drawn["columns"]):
        maker.column(
            "new_thing", body["Kind"], f"new_C{number}", "Sample", **{k: v for k, v in body.items() if k != "Kind"}
        )
    if len(drawn["targets"]) == 1:
        maker.make("RelationshipDefinitions", lookup("new_thing", drawn["targets"][0], "new_Link"), "Sample")
    elif drawn["targets"]:
        ones = [{**lookup("new_thing", target, "new_Link"), "Lookup": None} for target in drawn["targets"]]
        body = {
            "OneToManyRelationships": ones,
            "Lookup": {**column("Lookup", "new_Link"), "@odata.type": f"{CRM}Lookup"},
        }
        maker.make("CreatePolymorphicLookupAttribute", body, "Sample")
    if drawn["partner"]:
        maker.make("RelationshipDefinitions", many("new_thing", drawn["partner"], "new_Pairs"), "Sample")


@settings(max_examples=7, phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=list(HealthCheck))
@given(drawn=tables)
def test_export_and_import_keep_every_definition(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, Any]
) -> None:
    directory: Path = tmp_path_factory.mktemp("law")
    source, target = Maker.open(directory / "source"), Maker.open(directory / "target")
    try:
        build(source, drawn)
        data = source.export()
        answer = target.load(data)
        assert answer.status == 204, answer.body
        assert differences(target.definition("new_thing"), source.definition("new_thing")) == []
        assert documents(target.export()) == documents(data)
    finally:
        source.instance.end()
        target.instance.end()
