// The npm client dynamics-web-api, unmodified, over its whole public surface. Argument: the emulator's URL.
// Prints one JSON object a check: {"name", "ok", "error"}.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { DynamicsWebApi } from "dynamics-web-api";

const serverUrl = process.argv[2];
const api = new DynamicsWebApi({
    serverUrl,
    dataApi: { version: "9.2" },
    onTokenRefresh: async () => ({ accessToken: "any" }),
});
const word = () => `W${randomUUID().replaceAll("-", "").slice(0, 10)}`;
const GUID = /^[0-9a-f-]{36}$/i;

async function check(name, work) {
    try {
        await work();
        console.log(JSON.stringify({ name, ok: true }));
    } catch (error) {
        console.log(JSON.stringify({ name, ok: false, error: `${error.stack ?? error} ${JSON.stringify(error)}` }));
    }
}

async function refused(work, status) {
    await assert.rejects(work, (error) => {
        assert.equal(error.status, status, JSON.stringify(error));
        return true;
    });
}

const label = (text) => ({
    "@odata.type": "Microsoft.Dynamics.CRM.Label",
    LocalizedLabels: [{ "@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", Label: text, LanguageCode: 1033 }],
});

const account = (data = {}) =>
    api.create({ collection: "accounts", data: { name: word(), ...data }, returnRepresentation: false });

await check("create", async () => {
    const id = await account();
    assert.match(id, GUID);
    const whole = await api.create({
        collection: "accounts",
        data: { name: "Contoso", "primarycontactid": { firstname: "A", lastname: "B" } },
        returnRepresentation: true,
        select: ["name"],
        expand: [{ property: "primarycontactid", select: ["fullname"] }],
    });
    assert.equal(whole.name, "Contoso");
    assert.equal(whole.primarycontactid.fullname, "A B");
});

await check("retrieve", async () => {
    const key = await account({ name: "Read", industrycode: 1, revenue: 1.5 });
    const row = await api.retrieve({
        collection: "accounts", key, select: ["name", "industrycode", "revenue"], includeAnnotations: "*",
    });
    assert.equal(row.industrycode_Formatted, "Accounting");
    assert.ok(row["@odata.etag"]);
    const same = await api.retrieve({ collection: "accounts", key, select: ["name"], ifnonematch: row["@odata.etag"] });
    assert.ok(!same);
    await refused(() => api.retrieve({ collection: "accounts", key: randomUUID(), select: ["name"] }), 404);
});

await check("retrieve by alternate key", async () => {
    await fetch(`${serverUrl}/api/data/v9.2/EntityDefinitions(LogicalName='account')/Keys`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
            SchemaName: "new_number_key", KeyAttributes: ["accountnumber"], DisplayName: label("Number"),
        }),
    });
    const number = word();
    const id = await account({ accountnumber: number });
    const row = await api.retrieve({ collection: "accounts", key: `accountnumber='${number}'`, select: ["name"] });
    assert.equal(row.accountid, id);
});

await check("retrieve a navigation property and a single reference", async () => {
    const contact = await api.create({ collection: "contacts", data: { lastname: "N" } });
    const key = await account({ "primarycontactid@odata.bind": `contacts(${contact})` });
    const through = await api.retrieve({
        collection: "accounts", key, navigationProperty: "primarycontactid", select: ["lastname"],
    });
    assert.equal(through.lastname, "N");
    const reference = await api.retrieve({ collection: "accounts", key, select: ["primarycontactid/$ref"] });
    assert.equal(reference.id.toLowerCase(), contact.toLowerCase());
});

await check("update", async () => {
    const key = await account();
    assert.equal(await api.update({ collection: "accounts", key, data: { name: "New" } }), true);
    const whole = await api.update({
        collection: "accounts", key, data: { telephone1: "1" }, returnRepresentation: true, select: ["name", "telephone1"],
    });
    assert.deepEqual([whole.name, whole.telephone1], ["New", "1"]);
    assert.equal(await api.update({ collection: "accounts", key, data: { name: "No" }, ifmatch: 'W/"1"' }), false);
    await refused(() => api.update({ collection: "accounts", key: randomUUID(), data: { name: "x" } }), 404);
});

await check("updateSingleProperty", async () => {
    const key = await account();
    await api.updateSingleProperty({ collection: "accounts", key, fieldValuePair: { name: "Single" } });
    assert.equal((await api.retrieve({ collection: "accounts", key, select: ["name"] })).name, "Single");
});

await check("upsert", async () => {
    const key = randomUUID();
    assert.equal(await api.upsert({ collection: "accounts", key, data: { name: "Up" }, ifmatch: "*" }), null);
    const id = await api.upsert({ collection: "accounts", key, data: { name: "Up" } });
    assert.equal(id.toLowerCase(), key);
    assert.equal(await api.upsert({ collection: "accounts", key, data: { name: "Up" }, ifnonematch: "*" }), null);
    const row = await api.upsert({
        collection: "accounts", key, data: { name: "Down" }, returnRepresentation: true, select: ["name"],
    });
    assert.equal(row.name, "Down");
});

await check("deleteRecord", async () => {
    const key = await account({ telephone1: "1" });
    await api.deleteRecord({ collection: "accounts", key, property: "telephone1" });
    const row = await api.retrieve({ collection: "accounts", key, select: ["telephone1"] });
    assert.equal(row.telephone1, null);
    await api.deleteRecord({ collection: "accounts", key });
    await refused(() => api.retrieve({ collection: "accounts", key, select: ["name"] }), 404);
});

await check("retrieveMultiple, retrieveAll, count and countAll", async () => {
    const name = word();
    for (let n = 0; n < 7; n++) await account({ name, accountnumber: `${name}${n}`, revenue: n });
    const filter = `name eq '${name}'`;
    const first = await api.retrieveMultiple({
        collection: "accounts", select: ["name", "revenue"], filter, orderBy: ["revenue desc"], maxPageSize: 3, count: true,
    });
    assert.deepEqual(first.value.map((row) => row.revenue), [6, 5, 4]);
    assert.equal(first.oDataCount, 7);
    const second = await api.retrieveMultiple({ collection: "accounts", maxPageSize: 3 }, first.oDataNextLink);
    assert.deepEqual(second.value.map((row) => row.revenue), [3, 2, 1]);
    const all = await api.retrieveAll({ collection: "accounts", select: ["revenue"], filter });
    assert.equal(all.value.length, 7);
    assert.equal(await api.count({ collection: "accounts", filter }), 7);
    assert.equal(await api.countAll({ collection: "accounts", filter, select: ["name"] }), 7);
    const top = await api.retrieveMultiple({ collection: "accounts", select: ["name"], filter, top: 2 });
    assert.equal(top.value.length, 2);
});

await check("retrieveMultiple with expand", async () => {
    const key = await account({ name: "Parent" });
    for (const lastname of ["a", "b"]) {
        const data = { lastname, "parentcustomerid_account@odata.bind": `accounts(${key})` };
        await api.create({ collection: "contacts", data });
    }
    const { value } = await api.retrieveMultiple({
        collection: "accounts",
        select: ["name"],
        filter: `accountid eq ${key}`,
        expand: [{
            property: "contact_customer_accounts", select: ["lastname"], filter: "lastname eq 'b'",
            expand: [{ property: "parentcustomerid_account", select: ["name"] }],
        }],
    });
    assert.equal(value[0].contact_customer_accounts[0].lastname, "b");
    assert.equal(value[0].contact_customer_accounts[0].parentcustomerid_account.name, "Parent");
});

await check("apply", async () => {
    const name = word();
    for (const revenue of [1, 2, 3]) await account({ name, revenue });
    const { value } = await api.retrieveMultiple({
        collection: "accounts", apply: `filter(name eq '${name}')/aggregate(revenue with sum as total)`,
    });
    assert.equal(value[0].total, 6);
});

await check("change tracking", async () => {
    const first = await api.retrieveMultiple({ collection: "accounts", select: ["name"], trackChanges: true });
    assert.ok(first.oDataDeltaLink, JSON.stringify(Object.keys(first)));
    const name = word();
    await account({ name });
    const later = await api.retrieveMultiple({ collection: "accounts" }, first.oDataDeltaLink);
    assert.deepEqual(later.value.map((row) => row.name), [name]);
});

await check("fetch and fetchAll", async () => {
    const name = word();
    for (let n = 0; n < 5; n++) await account({ name, accountnumber: `${name}${n}` });
    const fetchXml = `<fetch count="2"><entity name="account"><attribute name="name"/><attribute name="accountnumber"/>
        <order attribute="accountnumber"/><filter><condition attribute="name" operator="eq" value="${name}"/></filter>
        </entity></fetch>`;
    const page = await api.fetch({ collection: "accounts", fetchXml, includeAnnotations: "*" });
    assert.equal(page.value.length, 2);
    assert.equal(page.PagingInfo.nextPage, 2);
    const next = await api.fetch({
        collection: "accounts", fetchXml, pageNumber: page.PagingInfo.nextPage, pagingCookie: page.PagingInfo.cookie,
    });
    assert.deepEqual(next.value.map((row) => row.accountnumber), [`${name}2`, `${name}3`]);
    const all = await api.fetchAll({ collection: "accounts", fetchXml, includeAnnotations: "*" });
    assert.deepEqual(all.value.map((row) => row.accountnumber), [0, 1, 2, 3, 4].map((n) => `${name}${n}`));
});

await check("associate and disassociate", async () => {
    const lead = await api.create({ collection: "leads", data: { lastname: "L", subject: "s" } });
    const contact = await api.create({ collection: "contacts", data: { lastname: "C" } });
    const many = { collection: "leads", primaryKey: lead, relationshipName: "contactleads_association", relatedKey: contact };
    const listed = async () =>
        (await api.retrieve({
            collection: "leads", key: lead, select: ["subject"],
            expand: [{ property: "contactleads_association", select: ["lastname"] }],
        })).contactleads_association.map((row) => row.lastname);
    await api.associate({ ...many, relatedCollection: "contacts" });
    assert.deepEqual(await listed(), ["C"]);
    await api.disassociate(many);
    assert.deepEqual(await listed(), []);
});

await check("associateSingleValued and disassociateSingleValued", async () => {
    const key = await account();
    const contact = await api.create({ collection: "contacts", data: { lastname: "C" } });
    const one = { collection: "accounts", primaryKey: key, navigationProperty: "primarycontactid" };
    const bound = async () =>
        (await api.retrieve({ collection: "accounts", key, select: ["_primarycontactid_value"] }))._primarycontactid_value;
    await api.associateSingleValued({ ...one, relatedCollection: "contacts", relatedKey: contact });
    assert.equal((await bound()).toLowerCase(), contact.toLowerCase());
    await api.disassociateSingleValued(one);
    assert.equal(await bound(), null);
});

await check("callFunction", async () => {
    assert.match((await api.callFunction("WhoAmI")).UserId, GUID);
    assert.ok((await api.callFunction({ name: "RetrieveVersion" })).Version.startsWith("9.2"));
    const counted = await api.callFunction({
        name: "RetrieveTotalRecordCount", parameters: { EntityNames: ["account"] },
    });
    assert.equal(counted.EntityRecordCountCollection.Keys[0], "account");
});

await check("callAction", async () => {
    const key = await api.create({ collection: "opportunities", data: { name: "won" } });
    await api.callAction({
        actionName: "WinOpportunity",
        action: { Status: 3, OpportunityClose: { subject: "won", "opportunityid@odata.bind": `opportunities(${key})` } },
    });
    assert.equal((await api.retrieve({ collection: "opportunities", key, select: ["statecode"] })).statecode, 1);
    const made = await api.callAction({
        collection: "accounts",
        actionName: "Microsoft.Dynamics.CRM.CreateMultiple",
        action: { Targets: [{ "@odata.type": "Microsoft.Dynamics.CRM.account", name: word() }] },
    });
    assert.match(made.Ids[0], GUID);
});

const table = `new_D${randomUUID().slice(0, 8)}`;
let tableId;

await check("createEntity, retrieveEntity, retrieveEntities, updateEntity", async () => {
    tableId = await api.createEntity({
        data: {
            "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata",
            SchemaName: table, OwnershipType: "UserOwned", IsActivity: false, HasActivities: false, HasNotes: false,
            DisplayName: label("Thing"), DisplayCollectionName: label("Things"), Description: label("d"),
            Attributes: [{
                "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", SchemaName: "new_Name",
                IsPrimaryName: true, MaxLength: 100, FormatName: { Value: "Text" }, RequiredLevel: { Value: "None" },
                DisplayName: label("Name"),
            }],
        },
    });
    assert.match(tableId, GUID);
    const definition = await api.retrieveEntity({ key: tableId });
    assert.equal(definition.SchemaName, table);
    definition.DisplayName.LocalizedLabels[0].Label = "Changed";
    await api.updateEntity({ data: definition, mergeLabels: true });
    const { value } = await api.retrieveEntities({
        select: ["LogicalName", "DisplayName"], filter: `SchemaName eq '${table}'`, expand: [{ property: "Attributes", select: ["LogicalName"] }],
    });
    assert.equal(value[0].DisplayName.LocalizedLabels[0].Label, "Changed");
    assert.ok(value[0].Attributes.some((column) => column.LogicalName === "new_name"));
});

await check("createAttribute, retrieveAttribute, retrieveAttributes, updateAttribute", async () => {
    const id = await api.createAttribute({
        entityKey: tableId,
        data: {
            "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", SchemaName: "new_Text", MaxLength: 50,
            DisplayName: label("Text"), RequiredLevel: { Value: "None" }, FormatName: { Value: "Text" },
        },
    });
    const castType = "Microsoft.Dynamics.CRM.StringAttributeMetadata";
    const column = await api.retrieveAttribute({ entityKey: tableId, attributeKey: id, castType });
    assert.equal(column.MaxLength, 50);
    column.MaxLength = 60;
    await api.updateAttribute({ entityKey: tableId, data: column, castType });
    const { value } = await api.retrieveAttributes({ entityKey: tableId, castType, filter: "LogicalName eq 'new_text'" });
    assert.equal(value[0].MaxLength, 60);
});

await check("relationships", async () => {
    const schemaName = `new_${word()}`;
    const key = await api.createRelationship({
        data: {
            "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", SchemaName: schemaName,
            ReferencedEntity: "account", ReferencedAttribute: "accountid", ReferencingEntity: table.toLowerCase(),
            CascadeConfiguration: { Assign: "NoCascade", Delete: "RemoveLink", Merge: "NoCascade", Reparent: "NoCascade", Share: "NoCascade", Unshare: "NoCascade" },
            Lookup: {
                "@odata.type": "Microsoft.Dynamics.CRM.LookupAttributeMetadata", SchemaName: "new_AccountId",
                DisplayName: label("Account"), RequiredLevel: { Value: "None" },
            },
        },
    });
    const castType = "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata";
    const found = await api.retrieveRelationship({ key, castType });
    assert.equal(found.SchemaName, schemaName);
    found.CascadeConfiguration.Delete = "Restrict";
    await api.updateRelationship({ data: found, castType });
    const { value } = await api.retrieveRelationships({ castType, filter: `SchemaName eq '${schemaName}'` });
    assert.equal(value[0].CascadeConfiguration.Delete, "Restrict");
    await api.deleteRelationship({ key });
    await refused(() => api.retrieveRelationship({ key }), 404);
});

await check("global choices", async () => {
    const key = await api.createGlobalOptionSet({
        data: {
            "@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata", Name: `new_${word().toLowerCase()}`, OptionSetType: "Picklist",
            DisplayName: label("Colours"), Options: [{ Value: 1, Label: label("Red") }],
        },
    });
    const castType = "Microsoft.Dynamics.CRM.OptionSetMetadata";
    const found = await api.retrieveGlobalOptionSet({ key, castType });
    assert.equal(found.Options[0].Value, 1);
    found.DisplayName.LocalizedLabels[0].Label = "Shades";
    await api.updateGlobalOptionSet({ data: found, mergeLabels: true });
    const { value } = await api.retrieveGlobalOptionSets({ castType, select: ["Name"] });
    assert.ok(value.some((choice) => choice.Name === found.Name));
    await api.deleteGlobalOptionSet({ key });
    await refused(() => api.retrieveGlobalOptionSet({ key }), 404);
});

await check("retrieveCsdlMetadata", async () => {
    const plain = await api.retrieveCsdlMetadata();
    assert.ok(plain.includes(`<EntityType Name="account"`));
    assert.ok((await api.retrieveCsdlMetadata({ addAnnotations: true })).length > plain.length);
});

await check("startBatch and executeBatch", async () => {
    const name = word();
    const key = await account({ name });
    api.startBatch();
    api.create({ collection: "accounts", data: { name }, contentId: "1" });
    api.create({ collection: "contacts", data: { lastname: "B", "parentcustomerid_account@odata.bind": "$1" } });
    api.update({ collection: "accounts", key, data: { telephone1: "1" } });
    api.retrieve({ collection: "accounts", key, select: ["name"] });
    api.count({ collection: "accounts", filter: `name eq '${name}'` });
    const answers = await api.executeBatch();
    assert.match(answers[0], GUID);
    assert.match(answers[1], GUID);
    assert.equal(answers[2], true);
    assert.equal(answers[3].name, name);
    assert.equal(answers[4].oDataCount, 2);
});

await check("a batch whose change set fails", async () => {
    const name = word();
    api.startBatch();
    api.create({ collection: "accounts", data: { name } });
    api.create({ collection: "accounts", data: { name, nosuchcolumn: 1 } });
    await assert.rejects(() => api.executeBatch());
    assert.equal(await api.count({ collection: "accounts", filter: `name eq '${name}'` }), 0);
    api.startBatch();
    api.create({ collection: "accounts", data: { name, nosuchcolumn: 1 }, inChangeSet: false });
    api.create({ collection: "accounts", data: { name }, inChangeSet: false });
    const answers = await api.executeBatch({ continueOnError: true }).catch((errors) => errors);
    assert.equal(answers.length, 2);
    assert.equal(await api.count({ collection: "accounts", filter: `name eq '${name}'` }), 1);
});

await check("a very long request becomes a batch", async () => {
    const name = word();
    await account({ name });
    const filter = Array.from({ length: 60 }, () => `name eq '${name}'`).join(" or ") + ` or name eq '${"x".repeat(100)}'`;
    assert.equal((await api.retrieveMultiple({ collection: "accounts", select: ["name"], filter })).value.length, 1);
});

await check("uploadFile and downloadFile", async () => {
    const key = await account();
    await api.createAttribute({
        entityKey: "LogicalName='account'",
        data: {
            "@odata.type": "Microsoft.Dynamics.CRM.FileAttributeMetadata", SchemaName: "new_Paper", MaxSizeInKB: 32768,
            DisplayName: label("Paper"), RequiredLevel: { Value: "None" },
        },
    });
    const data = Buffer.alloc(9 * 1024 * 1024, "0123456789abcdef");
    await api.uploadFile({ collection: "accounts", key, property: "new_paper", fileName: "paper.txt", data });
    const found = await api.downloadFile({ collection: "accounts", key, property: "new_paper" });
    assert.equal(found.fileName, "paper.txt");
    assert.equal(found.fileSize, data.length);
    assert.ok(Buffer.from(found.data).equals(data));
    await api.deleteRecord({ collection: "accounts", key, property: "new_paper" });
    await assert.rejects(() => api.downloadFile({ collection: "accounts", key, property: "new_paper" }));
});

await check("impersonation, bypass and duplicate headers", async () => {
    const { UserId } = await api.callFunction("WhoAmI");
    const row = await api.create({
        collection: "accounts", data: { name: word() }, impersonate: UserId, bypassCustomPluginExecution: true,
        duplicateDetection: false, noCache: true, tag: "t", returnRepresentation: true,
        select: ["_createdby_value"],
    });
    assert.equal(row._createdby_value, UserId);
});

await check("entity names instead of set names", async () => {
    const named = api.initializeInstance({
        serverUrl, dataApi: { version: "9.2" }, useEntityNames: true, onTokenRefresh: async () => ({ accessToken: "any" }),
    });
    assert.match(await named.create({ collection: "account", data: { name: word() } }), GUID);
    assert.equal(named.Utility.getCollectionName("opportunity"), "opportunities");
});

await check("background operations", async () => {
    const response = await api.callAction({ actionName: "PublishAllXml", respondAsync: true });
    assert.ok(response === undefined || response === null || response.backgroundOperationId, JSON.stringify(response));
    await refused(() => api.getBackgroundOperationStatus(randomUUID()), 404);
    await refused(() => api.cancelBackgroundOperation(randomUUID()), 404);
});

await check("search is refused by name", async () => {
    for (const work of [() => api.query("x"), () => api.suggest("xyz"), () => api.autocomplete("xyz")]) {
        await refused(work, 501);
    }
});
