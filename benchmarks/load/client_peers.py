"""The same CSV through another client: `python client_peers.py sdk|dataverse-api|dlt URL CSV`. Runs in the peers' environment.

Each is used as its pages show: CreateMultiple, 500 rows a call, what it offers against errors left as it comes.
"""

import atexit
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from people import read_maps, rows

ROWS_PER_CALL = 500


def calls(path: str) -> Iterator[list[dict[str, Any]]]:
    """500 rows at a time."""
    part: list[dict[str, Any]] = []
    for row in rows(Path(path), read_maps(Path(path).parent)):
        part.append(row)
        if len(part) == ROWS_PER_CALL:
            yield part
            part = []
    if part:
        yield part


def sdk(url: str, path: str) -> int:
    """Microsoft's PowerPlatform-Dataverse-Client, in `with`, so that connections are kept."""
    from azure.core.credentials import AccessToken, TokenCredential
    from PowerPlatform.Dataverse.client import DataverseClient

    class Token(TokenCredential):
        def get_token(self, *_: str, **__: Any) -> AccessToken:
            return AccessToken("benchmark", 2**33)

    failed = 0
    with DataverseClient(url, Token()) as client:
        for part in calls(path):
            try:
                client.records.create("contact", part)
            except Exception as error:  # noqa: BLE001 - whatever it raises, the next call goes on
                failed += 1
                print(type(error).__name__, str(error)[:200], file=sys.stderr)
    return failed


def dataverse_api(url: str, path: str) -> int:
    """dataverse-api, mode multiple."""
    import requests
    from dataverse_api import DataverseClient

    session = requests.Session()
    session.headers["Authorization"] = "Bearer benchmark"
    entity = DataverseClient(session=session, environment_url=url).entity("contact")
    failed = 0
    for part in calls(path):
        try:
            entity.create(part, mode="multiple", batch_size=ROWS_PER_CALL)
        except Exception as error:  # noqa: BLE001 - as above
            failed += 1
            print(type(error).__name__, str(error)[:200], file=sys.stderr)
    return failed


def through_dlt(url: str, path: str) -> int:
    """dlt with a destination of its own that posts CreateMultiple; dlt's retries as they come."""
    import os
    import tempfile

    import dlt
    import requests

    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    session = requests.Session()

    @dlt.destination(
        batch_size=ROWS_PER_CALL, loader_file_format="typed-jsonl", name="dataverse", naming_convention="direct"
    )
    def post(items: list[dict[str, Any]], table: Any) -> None:
        targets = [
            {"@odata.type": "Microsoft.Dynamics.CRM.contact"}
            | {k: v for k, v in item.items() if not k.startswith("_dlt")}
            for item in items
        ]
        address = f"{url}/api/data/v9.2/contacts/Microsoft.Dynamics.CRM.CreateMultiple"
        session.post(address, json={"Targets": targets}, timeout=120).raise_for_status()

    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("contacts", destination=post, pipelines_dir=folder)
        try:
            pipeline.run(rows(Path(path), read_maps(Path(path).parent)), table_name="contact")
        except Exception as error:  # noqa: BLE001 - what landed is counted in the destination
            print(type(error).__name__, str(error)[:300], file=sys.stderr)
            return 1
    return 0


def tell_peak() -> None:
    """Peak memory since this program began; what the system keeps for a parent counts the parent's, too."""
    status = Path("/proc/self/status").read_text()
    print("peak_kib", next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), flush=True)


if __name__ == "__main__":
    atexit.register(tell_peak)
    run = {"sdk": sdk, "dataverse-api": dataverse_api, "dlt": through_dlt}[sys.argv[1]]
    sys.exit(3 if run(sys.argv[2], sys.argv[3]) else 0)
