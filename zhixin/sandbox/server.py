"""What the sandbox servers share: reading requests, answering, and who may use the controls."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MAX_BODY_BYTES = 64 * 1024


class BadRequestError(Exception):
    """The request cannot be read; the message says why."""

    def __init__(self, message: str, *, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        """Keep the status to answer with."""
        super().__init__(message)
        self.status = status


Routes = Mapping[tuple[str, str], Callable[["SandboxHandler"], None]]


def is_loopback(host: str) -> bool:
    """Return whether `host` (a name or an address) is this machine's loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class SandboxServer(ThreadingHTTPServer):
    """A threading HTTP server whose requests do not keep the process alive."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], routes: Routes) -> None:
        """Listen on `address`; `routes` names what answers each method and path."""
        super().__init__(address, SandboxHandler)
        self.routes = routes


class SandboxHandler(BaseHTTPRequestHandler):
    """Reads a bounded request and writes short answers."""

    server_version = "ZhixinSandbox"
    sys_version = ""
    timeout = 10  # Seconds a client may take to send its request.
    server: SandboxServer

    def do_GET(self) -> None:
        """Answer by the routes."""
        self._route()

    def do_POST(self) -> None:
        """Answer by the routes."""
        self._route()

    def do_DELETE(self) -> None:
        """Answer by the routes."""
        self._route()

    def parameters(self) -> dict[str, str]:
        """Return the parameters of the query and of the form body together.

        Raises BadRequestError when one occurs twice, or when the body is too long or no UTF-8.
        """
        texts = [urlsplit(self.path).query, self._body().decode("utf-8", "strict")]
        pairs: list[tuple[str, str]] = []
        for text in texts:
            pairs += parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
        parameters = dict(pairs)
        if len(parameters) != len(pairs):
            raise BadRequestError("A parameter occurs twice.")
        return parameters

    def json_body(self) -> dict[str, Any]:
        """Return the JSON object in the body. Raises BadRequestError."""
        try:
            content = json.loads(self._body() or b"{}")
        except ValueError as error:
            raise BadRequestError("The body is not JSON.") from error
        if not isinstance(content, dict):
            raise BadRequestError("The body is not a JSON object.")
        return content

    def require_loopback(self) -> None:
        """Raise BadRequestError unless client and addressed host are this machine.

        The Host check stops a web page elsewhere from reaching in by a name that it controls.
        """
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        if not (is_loopback(str(self.client_address[0])) and is_loopback(host)):
            raise BadRequestError("Only on this machine.", status=HTTPStatus.FORBIDDEN)

    def control_wish(self) -> dict[str, Any]:
        """Return the JSON body of a control's request from this machine.

        The declared type must be JSON, which no plain web form can send. Raises BadRequestError.
        """
        self.require_loopback()
        if self.headers.get_content_type() != "application/json":
            raise BadRequestError(
                "Send application/json.", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE
            )
        return self.json_body()

    def answer(self, text: str, *, content_type: str, status: int = HTTPStatus.OK) -> None:
        """Send a whole answer that nothing may store."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{content_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'self'")
        self.end_headers()
        self.wfile.write(body)

    def answer_file(self, name: str, content: bytes) -> None:
        """Send a file to be kept."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Disposition", f'attachment; filename="{name}"')
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def redirect(self, address: str) -> None:
        """Send the browser on, by GET."""
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def answer_json(self, content: object, *, status: int = HTTPStatus.OK) -> None:
        """Send `content` as JSON."""
        text = json.dumps(content, ensure_ascii=False, default=str)
        self.answer(text, content_type="application/json", status=status)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  The base says so.
        """Stay quiet: queries may hold card numbers and phone numbers."""

    def _route(self) -> None:
        path = urlsplit(self.path).path
        try:
            self.server.routes.get((self.command, path), _answer_not_found)(self)
        except BadRequestError as error:
            self.answer(str(error), content_type="text/plain", status=error.status)
        except (ValueError, KeyError) as error:
            text = f"This cannot be read: {error}"
            self.answer(text, content_type="text/plain", status=HTTPStatus.BAD_REQUEST)
        except OSError:
            self.close_connection = True

    def _body(self) -> bytes:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError as error:
            raise BadRequestError("Content-Length is not a number.") from error
        if not 0 <= length <= MAX_BODY_BYTES:
            raise BadRequestError(
                "The body is too long.", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            )
        return self.rfile.read(length)


def _answer_not_found(handler: SandboxHandler) -> None:
    raise BadRequestError(f"There is nothing at {handler.path}.", status=HTTPStatus.NOT_FOUND)


def serve(server: SandboxServer, *, name: str) -> int:
    """Serve until SIGINT or SIGTERM; print the address once it can be reached.

    Nothing has to be saved at the end (each change is on the disk before it is answered), so the
    process stops at once, in the middle of whatever it does, as a crash would.
    """
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    host, port = server.server_address[0], server.server_address[1]
    host = host.decode() if isinstance(host, bytes) else host
    sys.stdout.write(f"{name} listens on http://{host}:{port}\n")
    sys.stdout.flush()
    server.serve_forever()
    return 0


def _stop(_signal: int, _frame: FrameType | None) -> None:
    os._exit(0)
