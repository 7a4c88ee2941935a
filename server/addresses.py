"""Names and addresses under which this machine can be reached. Nothing is sent to find out."""

import ipaddress
import socket

LOOPBACK = ("localhost", "127.0.0.1", "::1")
WILDCARDS = ("0.0.0.0", "::", "")


def host_names() -> list[str]:
    """The machine's own name and its mDNS form; empty where it has only localhost's."""
    name = socket.gethostname().lower().partition(".")[0]
    if not name.replace("-", "").isalnum() or not name.isascii() or name == "localhost":
        return []
    return [name, f"{name}.local"]


def lan_addresses() -> list[str]:
    """Addresses, IPv4 first, that other devices of the local network can use; empty without a network."""
    found: dict[str, None] = {}
    for family, somewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Connecting a datagram socket only chooses a route; the sender address it picks is ours.
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((somewhere, 9))
                found[probe.getsockname()[0]] = None
        except OSError:
            continue
    try:
        for *_, address in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM):
            found[str(address[0])] = None
    except OSError:
        pass
    usable = [address for address in found if _is_lan(address)]
    return sorted(usable, key=lambda address: ":" in address)


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, reaches this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_lan(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # with a scope, "fe80::1%eth0"
        return False
    return not (
        address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    )
