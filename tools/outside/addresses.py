"""Addresses outside: which hosts can be named, and which addresses nobody is ever connected to."""

import ipaddress
import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

import httpx

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"https": 443, "http": 80}
_LAST_PORT = 65535
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "100.100.100.200/32",  # where Alibaba's machines get their credentials
            "168.63.129.16/32",  # the same of Azure
            "169.254.0.0/16",  # link-local, and the same of everybody else
            "192.0.0.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/96",
            "::ffff:0:0/96",  # IPv4 in IPv6, by whichever of the ways there are
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2001::/32",
            "2002::/16",
            "100::/64",
            "fd00:ec2::/32",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
_NOT_GLOBAL = tuple(map(ipaddress.ip_network, ("192.88.99.0/24", "198.18.0.0/15", "100.64.0.0/10")))
_GLOBAL_6 = ipaddress.ip_network("2000::/3")


class AddressUnfit(ValueError):
    """An address must be https, or http on this machine, without user, password or fragment."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """A place that may be spoken to. Its address may be a secret: it is in no message and no log line.

    Attributes:
        allow_private: the host may be at an address that is not global, such as one of this machine.
    """

    url: httpx.URL = field(repr=False)
    allow_private: bool = False

    @classmethod
    def at(cls, address: str, *, allow_private: bool = False) -> "Destination":
        """The destination at an address; raises AddressUnfit."""
        return cls(url=fit_address(address), allow_private=allow_private)

    @property
    def host(self) -> str:
        """As it is compared and connected to: ASCII, in lower case."""
        return self.url.raw_host.decode("ascii")

    @property
    def port(self) -> int:
        """The port, also if it is not written."""
        return port_of(self.url)

    @property
    def plain(self) -> bool:
        """Whether it is spoken to without TLS, on this machine alone."""
        return self.url.scheme == "http"


def port_of(url: httpx.URL) -> int:
    """The port that an address leads to."""
    return url.port or _PORTS[url.scheme]


def fit_address(address: str) -> httpx.URL:
    """The parsed address of something that may be told, or linked to; raises AddressUnfit."""
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, TypeError) as error:
        raise AddressUnfit from error
    if address.split() != [address] or not address.isprintable() or "\\" in address or "#" in address:
        raise AddressUnfit
    safe = url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host))
    odd_port = url.port is not None and not 0 < url.port <= _LAST_PORT
    if not safe or url.userinfo or odd_port or not _fit_host(url):
        raise AddressUnfit
    return url


def _fit_host(url: httpx.URL) -> bool:
    """Whether the host is a name in DNS or an IP address in its one spelling, with no dot at its end."""
    host = url.raw_host.decode("ascii", "replace")
    try:
        return str(ipaddress.ip_address(host)) == host and "%" not in host
    except ValueError:
        return bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(host.rpartition(".")[2])


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its own name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def objection(address: str, destination: Destination) -> str | None:
    """Why nobody may be connected to an address for this destination; None if nothing is against it."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "is no address"
    if ip.is_loopback:
        return None if destination.allow_private else "is this machine's"
    if destination.plain:
        return "is not this machine's"
    if any(ip in network for network in _NEVER if network.version == ip.version):
        return "is never spoken to"
    return None if destination.allow_private or _is_global(ip) else "is private"


def _is_global(ip: IPv4Address | IPv6Address) -> bool:
    if any(ip in network for network in _NOT_GLOBAL if network.version == ip.version):
        return False
    return ip.is_global and (ip.version == 4 or ip in _GLOBAL_6)  # noqa: PLR2004 - the version of IP
