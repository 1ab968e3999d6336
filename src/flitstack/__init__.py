"""flitstack moves a CRM into Microsoft Dynamics 365 Sales, proves that every field arrived, and can undo it."""

import os

# NumPy's linear algebra starts a thread a core when it is imported, which spins for work that never comes: 0.1 s of CPU a command.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0.dev0"
