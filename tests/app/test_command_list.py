"""`flitstack --help`: every command in one line, and nothing loaded for it."""

import pkgutil
import subprocess

from route.route_case import command, environment

import flitstack
import flitstack.app.cli as commands
from flitstack.app.cli.main import COMMANDS


def said(*words: str) -> str:
    done = subprocess.run(
        command(*words), env=environment() | {"COLUMNS": "80"}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_file_is_listed_and_every_listed_command_has_a_file() -> None:
    files = {module.name.rstrip("_") for module in pkgutil.iter_modules(commands.__path__)} - {"face", "main"}
    assert files == COMMANDS.keys()


def test_the_list_shows_each_line_whole_in_80_columns() -> None:
    shown = said("--help")
    for name, line in COMMANDS.items():
        assert f"  {name:<9}  {line}" in shown.splitlines()


def test_a_command_keeps_its_name_and_its_own_help() -> None:
    assert said("load", "--help").startswith("Usage: python -m flitstack load [OPTIONS]")
    assert "recover" in said("journal", "--help")


def test_the_version_is_told() -> None:
    assert said("--version") == f"flitstack {flitstack.__version__}\n"
