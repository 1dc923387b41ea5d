"""What the log leaves out."""

from __future__ import annotations

import logging

SERVER_ERROR = 500


class OneLineForRefusals(logging.Filter):
    """Keeps refusals (403, 404, 422 …) to one line: where they were raised is no news.

    Errors of ours (500 and above) keep their traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the traceback off a refusal; let every record through."""
        if getattr(record, "status_code", SERVER_ERROR) < SERVER_ERROR:
            record.exc_info = None
            record.exc_text = None
        return True
