"""Abstract bases of tables."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models

# A test empties its tables between tests: in a database of tests, on a connection that says so.
_REFUSE_TRUNCATE = """
IF left(current_database(), 5) <> 'test_'
    OR current_setting('zhixin.allow_truncate', true) IS DISTINCT FROM 'on' THEN
    RAISE EXCEPTION 'append_only: Cannot truncate % table', TG_TABLE_NAME;
END IF;
RETURN NULL;
"""


class AppendOnly(models.Model):
    """Rows that are never changed or deleted: the database refuses UPDATE, DELETE and TRUNCATE.

    A child's Meta inherits from `AppendOnly.Meta`, or it loses the trigger (a test looks).
    """

    class Meta:
        """Keeps the table append-only."""

        abstract = True
        triggers: ClassVar[list[pgtrigger.Trigger]] = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="append_only_truncate",
                operation=pgtrigger.Truncate,
                when=pgtrigger.Before,
                level=pgtrigger.Statement,
                func=" ".join(_REFUSE_TRUNCATE.split()),
            ),
        ]
