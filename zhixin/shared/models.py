"""Abstract bases of tables."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models


class AppendOnly(models.Model):
    """Rows that are never changed or deleted: the database refuses UPDATE and DELETE.

    A child's Meta inherits from `AppendOnly.Meta`, or it loses the trigger (a test looks).
    """

    class Meta:
        """Keeps the table append-only."""

        abstract = True
        triggers: ClassVar[list[pgtrigger.Trigger]] = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]
