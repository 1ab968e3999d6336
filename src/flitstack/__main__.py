"""`python -m flitstack` is the `flitstack` command."""

from flitstack.app.cli.main import run

if __name__ == "__main__":
    run()
