"""Who asks, where a proxy stands in between: X-Forwarded headers are believed from proxies that were named, only."""

import ipaddress
import logging
from collections.abc import Awaitable, Iterable

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerConnectionDelegate

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TOLD_BY_PROXIES = (
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Real-Ip",
    "X-Scheme",
    "Forwarded",
)
UNNAMED = (
    "%s passes on readers' addresses and is not named with --trust: all its readers count as one, which they share the "
    "bounds of."
)


class Proxies(HTTPServerConnectionDelegate):
    """Hand requests on with the address and the protocol that their reader uses.

    Tornado's own `xheaders` believes whoever sends them.
    """

    def __init__(self, app: HTTPServerConnectionDelegate, trusted: Iterable[Network]):
        self.app, self.trusted = app, tuple(trusted)
        self._unnamed: set[str] = set()

    def start_request(self, server_conn: object, request_conn: object) -> HTTPMessageDelegate:
        """Take a request on its way to the pages."""
        return _Request(self, self.app.start_request(server_conn, request_conn), request_conn)  # type: ignore[arg-type]

    def trusts(self, address: str) -> bool:
        """Return whether an address is that of a named proxy."""
        found = _parsed(address)
        return found is not None and any(found in network for network in self.trusted)

    def reader(self, peer: str, headers: HTTPHeaders) -> str:
        """Return the reader's address: the last in the chain that no named proxy has."""
        reader = peer
        for said in reversed(headers.get("X-Forwarded-For", "").split(",")):
            if not self.trusts(reader) or _parsed(said) is None:
                break
            reader = str(_parsed(said))
        return reader

    def say_unnamed(self, peer: str) -> None:
        """Say once of a peer that it seems to be a proxy."""
        if peer not in self._unnamed and len(self._unnamed) < 10:  # any program can pose as one
            self._unnamed.add(peer)
            logging.getLogger(__name__).warning(UNNAMED, peer)


class _Request(HTTPMessageDelegate):
    """One request: Tornado's context is the connection's, so it is set anew for each."""

    def __init__(self, proxies: Proxies, inner: HTTPMessageDelegate, connection: object):
        self.proxies, self.inner, self.connection = proxies, inner, connection

    def headers_received(self, start_line, headers: HTTPHeaders) -> Awaitable[None] | None:
        context = self.connection.context  # type: ignore[attr-defined]
        peer = context._orig_remote_ip
        context.remote_ip, context.protocol = peer, context._orig_protocol
        if self.proxies.trusts(peer):
            context.remote_ip = self.proxies.reader(peer, headers)
            said = headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip()
            if said in ("http", "https"):
                context.protocol = said
        else:
            if "X-Forwarded-For" in headers and ipaddress.ip_address(peer).is_private:
                self.proxies.say_unnamed(peer)
            for name in TOLD_BY_PROXIES:  # nobody behind us may take them for true
                headers.pop(name, None)
        return self.inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self.inner.data_received(chunk)

    def finish(self) -> None:
        self.inner.finish()

    def on_connection_close(self) -> None:
        self.inner.on_connection_close()


def _parsed(address: str) -> Address | None:
    try:
        found = ipaddress.ip_address(address.strip())
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
