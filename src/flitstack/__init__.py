"""flitstack moves a CRM into Microsoft Dynamics 365 Sales, proves that every field arrived, and can undo it."""

__version__ = "0.1.0.dev0"
