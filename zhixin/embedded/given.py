"""The servers that DATABASE_URL and REDIS_URL name: tried before anything is built on them."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import psycopg2
import redis
from psycopg2.extensions import parse_dsn

from zhixin.embedded.errors import EmbeddedError

_ANSWER_SECONDS = 5


def check_given_servers() -> None:
    """Try the servers of the variables that are set; neither is needed.

    Raises EmbeddedError, one sentence without the password, when one cannot be used.
    """
    database_url = os.environ.get("DATABASE_URL", "")
    redis_url = os.environ.get("REDIS_URL", "")
    if database_url:
        _check_database(database_url)
    if redis_url:
        _check_redis(redis_url)


def _check_database(url: str) -> None:
    try:
        _check_form(url, schemes=("postgresql", "postgres"))
        parts = parse_dsn(url)
    # What they say quotes pieces of the address, which may be the password's.
    except (ValueError, psycopg2.ProgrammingError):
        raise EmbeddedError(
            "DATABASE_URL cannot be read: write it as postgresql://USER:PASSWORD@HOST:5432/NAME, "
            "with signs such as / and @ in the password as %2F and %40, or unset it to use the "
            "project's own PostgreSQL."
        ) from None
    try:
        psycopg2.connect(url, connect_timeout=_ANSWER_SECONDS).close()
    except psycopg2.Error as error:
        name = parts.get("dbname") or parts.get("user") or "(no name)"
        host, port = parts.get("host") or "this machine's socket", parts.get("port") or "5432"
        raise EmbeddedError(
            f"The PostgreSQL database {name} of DATABASE_URL at {host}, port {port}, cannot be "
            f"used ({_one_line(error)}): start that server, make the database or correct "
            "DATABASE_URL, or unset it to use the project's own PostgreSQL."
        ) from error


def _check_redis(url: str) -> None:
    try:
        _check_form(url, schemes=("redis", "rediss", "unix"))
        client = redis.Redis.from_url(
            url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS
        )
    except ValueError:
        raise EmbeddedError(
            "REDIS_URL cannot be read: write it as redis://:PASSWORD@HOST:6379/0, with signs such "
            "as / and @ in the password as %2F and %40, or unset it to use the project's own Redis."
        ) from None
    parts = client.connection_pool.connection_kwargs
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        host = parts.get("path") or parts.get("host") or "localhost"
        port = "" if parts.get("path") else f", port {parts.get('port') or 6379}"
        raise EmbeddedError(
            f"The Redis database {parts.get('db') or 0} of REDIS_URL at {host}{port}, cannot be "
            f"used ({_one_line(error)}): start that server or correct REDIS_URL, or unset it to "
            "use the project's own Redis."
        ) from error
    finally:
        client.close()


def _check_form(url: str, *, schemes: tuple[str, ...]) -> None:
    """Raise ValueError unless the address is of the form that the settings read."""
    parts = urlsplit(url)
    # An @ after the host, or a port that is no number: a sign of the password was not quoted.
    if parts.scheme not in schemes or "@" in f"{parts.path}{parts.query}{parts.fragment}":
        raise ValueError
    _ = parts.port


def _one_line(error: Exception) -> str:
    """Return the line in which the server, or the way to it, says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # A name with two addresses is tried at both; the one that answers knows more.
    said = next((line for line in lines if "FATAL" in line), lines[0] if lines else "no answer")
    return said.rstrip(".")
