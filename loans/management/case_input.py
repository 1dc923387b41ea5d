"""Reading the text of cases from a file or from standard input, and writing the answers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.core.management.base import CommandParser, OutputWrapper

from loans.engine.cases import InvalidCaseError


def add_case_argument(parser: CommandParser) -> None:
    """Add the one argument: a file, or - for standard input."""
    parser.add_argument("file", help="a JSON file of one case or of {cases: [...]}, or -")


def read_case_text(name: str) -> str:
    """Return the text of the file, or of standard input for "-"."""
    shown = " ".join(name.split())
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidCaseError(f"input: {shown}: {error.strerror}. Name a readable file.") from None
    except UnicodeDecodeError:
        raise InvalidCaseError(f"input: {shown}: is not UTF-8. Save it as UTF-8.") from None


def write_answer(stream: OutputWrapper, text: str) -> None:
    """Write the answers; a reader that has left, such as `head`, is no error."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # Python flushes standard output once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
