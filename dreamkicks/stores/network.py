"""One bounded request over TLS to one checked address. Knows nothing of shops or manners.

A name is looked up when a connection is made, every address it gives is checked, and the connection goes to one of those: an
answer of the DNS that changes in between has nothing to change. Bodies are unpacked here, where both their packed and their
unpacked size are capped.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpcore
import httpx

from dreamkicks.errors import Cancelled, FetchFailed, NotAllowed

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All that was ever given out; what lies beside it is private, local or nothing, and Python calls some of it global.
_INTERNET = ipaddress.ip_network("2000::/3")
_CONNECTING = 10.0
"""Seconds that an address may take to connect, and as many to agree on TLS; a cancel is heard between the two."""
_TRANSPORT_ERRORS = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


def look_up(host: str) -> list[str]:
    """All addresses of a host name. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)]


def is_public(address: str) -> bool:
    """Whether an address is out on the internet, also when it is an IPv4 address in an IPv6 disguise."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo[1] if number.teredo else None)
        if inner is None and number in _NAT64:
            inner = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if number not in _INTERNET:
            return False
    return number.is_global and not number.is_multicast


@dataclass(frozen=True)
class Answer:
    """What came back. The body is unpacked, and empty unless the status is 200."""

    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(frozen=True)
class Network:
    """The world outside; tests bring their own names, addresses and certificates."""

    look_up: Callable[[str], list[str]] = look_up
    is_public: Callable[[str], bool] = is_public
    certificates: ssl.SSLContext | None = None
    seconds: float = 60
    """The longest that one request may take, to the last byte; only the look-up of a name, which Python can't bound, may take longer."""

    @cached_property
    def tls(self) -> ssl.SSLContext:
        return self.certificates or httpx.create_ssl_context()

    def addresses(self, host: str) -> list[str]:
        """The addresses of a host. Raises NotAllowed when any of them is private, httpcore.ConnectError when it has none."""
        try:
            found = self.look_up(host)
        except OSError as error:
            raise httpcore.ConnectError(f"no such host: {error.strerror or error}") from error
        for address in found:
            if not self.is_public(address):
                raise NotAllowed(
                    f"{host} leads to the private address {address}; it is not asked. Check the shop's entry."
                )
        return list(dict.fromkeys(found))


class Line(httpcore.NetworkBackend):
    """The connection to one host, for one request at a time."""

    def __init__(self, network: Network, stopped: threading.Event) -> None:
        self._network = network
        self._stopped = stopped
        self._until = 0.0
        self._sockets = httpcore.SyncBackend()
        self._pool = httpcore.ConnectionPool(ssl_context=network.tls, max_connections=1, network_backend=self)

    def ask(self, url: httpx.URL, headers: dict[str, str], limit: int, cut: bool = False) -> Answer:
        """GET one address; a body longer than `limit` bytes, packed or unpacked, is refused, or cut there.

        Raises FetchFailed, NotAllowed for a private address, Cancelled.
        """
        self._until = time.monotonic() + self._network.seconds
        # The parsed parts are handed on, so that no second parser can read the address in another way.
        target = httpcore.URL(scheme=b"https", host=url.raw_host, port=url.port, target=url.raw_path)
        sent = {"Accept-Encoding": "gzip", **headers}
        try:
            with self._pool.stream("GET", target, headers=list(sent.items())) as response:
                received = httpx.Headers(response.headers)
                if response.status not in (200, 304):
                    return Answer(response.status, received, b"")
                return Answer(response.status, received, _unpack(response.iter_stream(), received, limit, cut))
        except _TRANSPORT_ERRORS as error:
            raise FetchFailed(f"the connection failed ({error or type(error).__name__})", lasting=False) from error

    def close(self) -> None:
        self._pool.close()

    def left(self, most: float = 1.0) -> float:
        """Seconds until somebody should look again, `most` at most: one, so that a cancel is heard. Raises Cancelled, ReadTimeout."""
        if self._stopped.is_set():
            raise Cancelled()
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout(f"not done after {self._network.seconds:g} s")
        return min(left, most)

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any
    ) -> httpcore.NetworkStream:
        trouble: Exception = httpcore.ConnectError("no such host")
        for address in self._network.addresses(host):
            try:
                return _Stream(self._sockets.connect_tcp(address, port, timeout=self.left(_CONNECTING)), self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
        raise trouble


class _Stream(httpcore.NetworkStream):
    """A stream that minds its line's deadline at every read, also while headers drip in."""

    def __init__(self, stream: httpcore.NetworkStream, line: Line) -> None:
        self._stream = stream
        self._line = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            try:
                return self._stream.read(max_bytes, self._line.left())
            except httpcore.ReadTimeout:
                self._line.left()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._line.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._line.left(_CONNECTING)), self._line)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _unpack(chunks: Iterable[bytes], headers: httpx.Headers, limit: int, cut: bool) -> bytes:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise FetchFailed(f"its body is packed with {encoding[:20]!r}, which was not asked for", lasting=True)
    gunzip = zlib.decompressobj(31) if "gzip" in encoding else None
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit and not cut:
        raise _too_large(limit)
    body, received = bytearray(), 0
    for chunk in chunks:
        received += len(chunk)
        try:
            body += gunzip.decompress(chunk, limit + 1 - len(body)) if gunzip else chunk
        except zlib.error as error:
            raise FetchFailed("its body can't be unpacked", lasting=False) from error
        if len(body) > limit or received > limit:
            if cut:
                return bytes(body[:limit])
            raise _too_large(limit)
    if gunzip and not gunzip.eof and received:
        raise FetchFailed("its body was cut short", lasting=False)
    return bytes(body)


def gunzip(data: bytes, limit: int) -> bytes:
    """A gzip file unpacked. Raises FetchFailed when it is damaged or unpacks to more than `limit` bytes."""
    return _unpack([data], httpx.Headers({"content-encoding": "gzip"}), limit, cut=False)


def _too_large(limit: int) -> FetchFailed:
    return FetchFailed(f"its body is over {limit / 1_000_000:g} MB", lasting=True)
