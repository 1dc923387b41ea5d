"""Reading the text of cases from a file or from standard input, and writing the answers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.core.management.base import CommandError, CommandParser, OutputWrapper

from loans.engine.cases import InvalidCaseError


def add_case_argument(parser: CommandParser) -> None:
    """Add the one argument: a file, or - for standard input."""
    parser.add_argument("file", help="a JSON file of one case or of {cases: [...]}, or -")


def read_case_text(name: str) -> str:
    """Return the text of the file, or of standard input for "-"."""
    shown = " ".join(name.split()) if name.isprintable() else repr(name)
    try:
        data = _standard_input() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidCaseError(f"input: {shown}: {error.strerror}. Name a readable file.") from None
    except UnicodeDecodeError:
        raise InvalidCaseError(f"input: {shown}: is not UTF-8. Save it as UTF-8.") from None


def write_answer(stream: OutputWrapper, text: str) -> None:
    """Write the answers; a reader that has left, such as `head`, is no error.

    Raises CommandError with exit code 1 where standard output takes nothing.
    """
    if sys.stdout is None:  # As Python leaves it when the shell closed it (>&-).
        raise CommandError("output: is closed. Write the answer elsewhere.")
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _drop_the_rest()
    except OSError as error:
        _drop_the_rest()
        raise CommandError(f"output: {error.strerror}. Write the answer elsewhere.") from None
    except UnicodeEncodeError:
        raise CommandError("output: takes no UTF-8. Set PYTHONIOENCODING=utf-8.") from None


def _standard_input() -> bytes:
    if sys.stdin is None:  # As Python leaves it when the shell closed it (<&-).
        raise InvalidCaseError("input: -: is closed. Name a readable file.")
    return sys.stdin.buffer.read()


def _drop_the_rest() -> None:
    """Let Python, which flushes standard output once more at its end, find nothing wrong."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
