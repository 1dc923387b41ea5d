"""Signed messages between us and the world outside: the bank and the SMS carrier.

Bank: the published convention of Alipay's open API. The parameters that are not empty are sorted by
name and joined as `name=value&name=value`; that string is signed with RSA2 (RSASSA-PKCS1-v1_5 with
SHA-256, keys of 2048 bits) and the signature travels as the parameter `sign`. An answer signs the
exact text of its one named node. Source: Alipay open platform, "自行实现签名" and "异步通知验签".

Carrier: the RPC signature of Alibaba Cloud (HMAC-SHA1 over method, path and sorted query).
Source: Alibaba Cloud, "RPC 风格请求的签名机制".

Nothing here reads a clock: the receiver passes the instant to `ReplayGuard.check`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KEY_BITS = 2048
SIGN_TYPE = "RSA2"
# The bank's wall clock: China has one zone and no daylight saving.
BANK_TIME_ZONE = timezone(timedelta(hours=8), "UTC+08:00")
_TIMESTAMP_FORMAT = "%Y-%m-%d %H:%M:%S"


class SigningError(ValueError):
    """A message cannot be signed, or its signature cannot be trusted."""


class InvalidKeyError(SigningError):
    """The text or file is not an RSA key in PEM form of at least 2048 bits."""


class InvalidSignatureError(SigningError):
    """The message was not signed by the expected key, or was altered afterwards."""


class StaleRequestError(SigningError):
    """The timestamp is unreadable or too far from the receiver's clock."""


class ReplayedRequestError(SigningError):
    """A request with this nonce has been received before."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new RSA key pair as PEM text (PKCS#8 and SubjectPublicKeyInfo)."""

    private_pem: str
    public_pem: str

    def __repr__(self) -> str:
        """Return a form that never shows the private key."""
        return "KeyPair(private_pem=<hidden>)"


def generate_key_pair() -> KeyPair:
    """Return a fresh RSA key pair of `KEY_BITS` bits."""
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    private_pem = private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return KeyPair(private_pem=private_pem.decode(), public_pem=public_pem_of(private_key))


def public_pem_of(private_key: rsa.RSAPrivateKey) -> str:
    """Return the public half of `private_key` as PEM text."""
    public_pem = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public_pem.decode()


def load_private_key(pem_or_path: str | Path) -> rsa.RSAPrivateKey:
    """Return the private key in a PEM text or in the file at a path.

    Raises InvalidKeyError; its message never contains key material.
    """
    try:
        key = serialization.load_pem_private_key(_pem_bytes(pem_or_path), password=None)
    except (ValueError, TypeError) as error:
        raise InvalidKeyError("This is not an unencrypted private key in PEM form.") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < KEY_BITS:
        raise InvalidKeyError(f"The private key must be RSA with at least {KEY_BITS} bits.")
    return key


def load_public_key(pem_or_path: str | Path) -> rsa.RSAPublicKey:
    """Return the public key in a PEM text or in the file at a path.

    Raises InvalidKeyError.
    """
    try:
        key = serialization.load_pem_public_key(_pem_bytes(pem_or_path))
    except ValueError as error:
        raise InvalidKeyError("This is not a public key in PEM form.") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS:
        raise InvalidKeyError(f"The public key must be RSA with at least {KEY_BITS} bits.")
    return key


def canonical_string(
    parameters: Mapping[str, str], *, leaving_out: frozenset[str] = frozenset({"sign"})
) -> str:
    """Return the text that is signed: non-empty parameters, sorted by name, as `name=value&…`.

    Values are taken as they are, before any URL encoding. Requests leave out `sign`; a
    notification leaves out `sign` and `sign_type`.

    >>> canonical_string({"method": "m", "app_id": "7", "empty": "", "sign": "x"})
    'app_id=7&method=m'
    """
    return "&".join(
        f"{name}={value}"
        for name, value in sorted(parameters.items())
        if value != "" and name not in leaving_out
    )


def sign_text(text: str, *, private_key: rsa.RSAPrivateKey) -> str:
    """Return the RSA2 signature of the UTF-8 bytes of `text`, in base64."""
    signature = private_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode()


def verify_text(text: str, *, signature: str, public_key: rsa.RSAPublicKey) -> None:
    """Raise InvalidSignatureError unless `signature` is the RSA2 signature of `text`."""
    try:
        raw = base64.b64decode(signature, validate=True)
        public_key.verify(raw, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise InvalidSignatureError("The signature does not match the message.") from error


REQUEST_LEAVES_OUT = frozenset({"sign"})
NOTICE_LEAVES_OUT = frozenset({"sign", "sign_type"})


def sign_parameters(
    parameters: Mapping[str, str],
    *,
    private_key: rsa.RSAPrivateKey,
    leaving_out: frozenset[str] = REQUEST_LEAVES_OUT,
) -> dict[str, str]:
    """Return `parameters` with `sign_type` and `sign` set."""
    signed = {**parameters, "sign_type": SIGN_TYPE}
    signed.pop("sign", None)
    text = canonical_string(signed, leaving_out=leaving_out)
    signed["sign"] = sign_text(text, private_key=private_key)
    return signed


def verify_parameters(
    parameters: Mapping[str, str],
    *,
    public_key: rsa.RSAPublicKey,
    leaving_out: frozenset[str] = REQUEST_LEAVES_OUT,
) -> None:
    """Raise InvalidSignatureError unless `parameters` carry a valid RSA2 signature."""
    if parameters.get("sign_type") != SIGN_TYPE:
        raise InvalidSignatureError(f"The sign_type must be {SIGN_TYPE}.")
    text = canonical_string(parameters, leaving_out=leaving_out)
    verify_text(text, signature=parameters.get("sign", ""), public_key=public_key)


def answer_node(api_method: str) -> str:
    """Return the name of the node that answers `api_method`.

    >>> answer_node("alipay.trade.query")
    'alipay_trade_query_response'
    """
    return api_method.replace(".", "_") + "_response"


def signed_answer(
    node: str, content: Mapping[str, object], *, private_key: rsa.RSAPrivateKey
) -> str:
    """Return the JSON text of an answer: the named node and the signature of its exact text."""
    node_text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    signature = sign_text(node_text, private_key=private_key)
    return f'{{"{node}":{node_text},"sign":"{signature}"}}'


def read_signed_answer(
    body: str, *, nodes: tuple[str, ...], public_key: rsa.RSAPublicKey
) -> dict[str, object]:
    """Return the content of the first of `nodes` in `body`, after verifying its exact text.

    What is returned is read from the very characters that were signed. Raises
    InvalidSignatureError when the body has none of the nodes, is not JSON, or is not signed.
    """
    decoder = json.JSONDecoder(parse_float=Decimal)
    for node in nodes:
        key = f'"{node}":'
        start = body.find(key)
        if start < 0:
            continue
        start += len(key)
        start += len(body[start:]) - len(body[start:].lstrip())
        try:
            content, end = decoder.raw_decode(body, start)
            signature = json.loads(body).get("sign", "")
        except (ValueError, AttributeError, RecursionError) as error:
            raise InvalidSignatureError("The answer is not a signed JSON object.") from error
        if not isinstance(content, dict) or not isinstance(signature, str):
            break
        verify_text(body[start:end], signature=signature, public_key=public_key)
        return content
    raise InvalidSignatureError("The answer is not a signed JSON object.")


def timestamp_text(at: datetime) -> str:
    """Return the aware instant `at` as the bank writes it: `yyyy-MM-dd HH:mm:ss` in UTC+8."""
    return at.astimezone(BANK_TIME_ZONE).strftime(_TIMESTAMP_FORMAT)


def parse_timestamp(text: str) -> datetime:
    """Return the aware instant that `text` (`yyyy-MM-dd HH:mm:ss` in UTC+8) names.

    Raises StaleRequestError when it is not of that form.
    """
    try:
        naive = datetime.strptime(text, _TIMESTAMP_FORMAT)  # noqa: DTZ007  The zone follows.
    except ValueError as error:
        raise StaleRequestError(f"{text!r} is not a timestamp.") from error
    return naive.replace(tzinfo=BANK_TIME_ZONE)


class ReplayGuard:
    """The receiving side's memory of nonces: refuses old, future-dated and repeated requests.

    A nonce is remembered for as long as its timestamp could be accepted, so memory is bounded by
    the traffic of two windows. Safe for threads; a restart forgets, therefore orders are also
    idempotent by the client's own id.
    """

    def __init__(self, *, window: timedelta = timedelta(minutes=15)) -> None:
        """Accept requests whose timestamp is at most `window` from the receiver's clock."""
        self._window = window
        self._seen: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def check(self, *, timestamp: datetime, nonce: str, at: datetime) -> None:
        """Remember `nonce`, or raise StaleRequestError or ReplayedRequestError."""
        if abs(at - timestamp) > self._window:
            raise StaleRequestError("The timestamp is too far from the clock here.")
        if not nonce:
            raise ReplayedRequestError("The request has no nonce.")
        with self._lock:
            self._forget_before(at - self._window)
            if nonce in self._seen:
                raise ReplayedRequestError("This request has been received before.")
            self._seen[nonce] = timestamp

    def _forget_before(self, oldest: datetime) -> None:
        for nonce in [nonce for nonce, stamp in self._seen.items() if stamp < oldest]:
            del self._seen[nonce]


def rpc_signature(
    *, http_method: str, parameters: Mapping[str, str], access_key_secret: str
) -> str:
    """Return Alibaba Cloud's RPC signature: base64 of HMAC-SHA1 over method, path and query.

    StringToSign = METHOD & %2F & percent(sorted, percent-encoded query without `Signature`); the
    key is the secret followed by `&`.
    """
    query = "&".join(
        f"{_percent(name)}={_percent(value)}"
        for name, value in sorted(parameters.items())
        if name != "Signature"
    )
    text = f"{http_method}&{_percent('/')}&{_percent(query)}"
    digest = hmac.new(f"{access_key_secret}&".encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _percent(text: str) -> str:
    """Return `text` percent-encoded as RFC 3986 has it (only letters, digits and `-_.~` stay)."""
    return quote(text, safe="~")


def _pem_bytes(pem_or_path: str | Path) -> bytes:
    if isinstance(pem_or_path, str) and "-----BEGIN" in pem_or_path:
        # One-line environment variables often carry the line breaks as backslash + n.
        return pem_or_path.replace("\\n", "\n").encode()
    try:
        return Path(pem_or_path).read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidKeyError("There is no readable key file at the given path.") from error
