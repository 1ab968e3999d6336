"""Microsoft Dataverse over its Web API v9.2. OData spellings stay inside this package."""
