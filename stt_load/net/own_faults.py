"""What fails for a reason of this machine's own: no port is left, no file descriptor, no memory, no name server.

Nothing is learned of the server then, and nothing of that may be taken for its answer.
"""

from __future__ import annotations

import errno
import resource
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

from stt_load.errors import ConnectionLost, GeneratorFailure, SttLoadError

TIME_WAIT_S = 60  # Linux, TCP_TIMEWAIT_LEN: how long the port of a closed connection stays taken

MORE_DESCRIPTORS = "ulimit -n 65536"
MORE_PORTS = 'sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535"'
REUSED_PORTS = "sudo sysctl -w net.ipv4.tcp_tw_reuse=1"

_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
# Of getaddrinfo(3): those that say nothing of the name.
_RESOLVER_FAILURES = tuple(
    getattr(socket, name) for name in ("EAI_AGAIN", "EAI_FAIL", "EAI_MEMORY", "EAI_SYSTEM") if hasattr(socket, name)
)


_NO_MEMORY = "this machine has no memory left for sockets: see net.ipv4.tcp_mem and `free`"
_NO_NAME_SERVER = "the name server of this machine fails: see /etc/resolv.conf"
_FIREWALL = "this machine lets nothing out there: look at its firewall"
OWN_ERRORS: Mapping[int, str] = {
    errno.EADDRNOTAVAIL: "no port is left of this machine's {ports}, where each stays taken for "
    f"{TIME_WAIT_S} s after its connection: {MORE_PORTS}; {REUSED_PORTS}; or use --utterances-per-connection, or more "
    "load machines",
    errno.EMFILE: "this process may have {descriptors} file descriptors, and each caller takes one: "
    f"{MORE_DESCRIPTORS}, or use more --processes",
    errno.ENFILE: "this machine has no file descriptor left: sudo sysctl -w fs.file-max=1000000",
    errno.ENOBUFS: _NO_MEMORY,
    errno.ENOMEM: _NO_MEMORY,
    errno.ECONNABORTED: "this machine broke it off: was its network changed?",
    errno.ENETDOWN: "the network of this machine is down",
    errno.EPERM: _FIREWALL,
    errno.EACCES: _FIREWALL,
}
"""Why it is not the server's fault, with the limit in numbers, and what to do, by the number of an OSError."""


def own_cause(error: OSError) -> str | None:
    """Why an error is this machine's own, with the limit in numbers and what to do; None where it is none of them."""
    if isinstance(error, socket.gaierror):
        return _NO_NAME_SERVER if error.errno in _RESOLVER_FAILURES else None
    if isinstance(error, ssl.SSLError):  # they have numbers of their own
        return None
    why = OWN_ERRORS.get(error.errno or 0)
    return why and why.format(ports=_ports(), descriptors=f"{resource.getrlimit(resource.RLIMIT_NOFILE)[0]:,}")


def fault_of(error: OSError, text: str, otherwise: SttLoadError) -> SttLoadError:
    """The fault that an error is: this machine's own, told as `text` and its cause; `otherwise` where it is none."""
    cause = own_cause(error)
    return otherwise if cause is None else GeneratorFailure(f"{text}: {error.strerror}: {cause}")


def loss_of(error: OSError, text: str, said: str = "") -> SttLoadError:
    """The fault by which an open connection ended, told as `text`. `said`: what the server had said of it before."""
    return fault_of(error, text, ConnectionLost(f"{text}: {error}{said}"))


def _ports() -> str:
    """How many ephemeral ports there are, and which."""
    try:
        first, last = _PORT_RANGE.read_text(encoding="ascii").split()
        return f"{int(last) - int(first) + 1:,} ({first} to {last}, net.ipv4.ip_local_port_range)"
    except (OSError, ValueError):
        return "range"
