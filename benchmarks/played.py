"""One command of a rehearsed migration as a process of its own: `python played.py PROJECT "rollback"`.

Says "begun" when the project is open: from there on a kill can hurt. Ends with what it refused and what does not close, as JSON.
"""

import json
import sys
from pathlib import Path

from rehearsed import PLAYS, not_closed, refused

from flitstack.app.project import Project

if __name__ == "__main__":
    play = next(play for play in PLAYS if play.name == sys.argv[2])
    project = Project.open(Path(sys.argv[1]), "benchmark")
    print("begun", flush=True)
    result = play.command(project)
    print(json.dumps({"refused": refused(result), "not_closed": not_closed(result)}), flush=True)
