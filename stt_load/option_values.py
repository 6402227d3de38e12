"""Parsers of option values: one function for each kind of value, for the options of a run and those of a dialect.

Each turns the text that was typed into the value, or raises ValueError with what is wrong and what to write instead.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from stt_load.carriers import CARRIERS
from stt_load.text.url_secrets import as_typed

DEFAULT_CONCURRENCY = "1,5,10,20,30,40"
DEFAULT_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}  # other schemes have a port of their server's own
WITH_TLS = {"http": "https", **dict(carrier.schemes for carrier in CARRIERS.values())}
SCHEMES_WITH_TLS = frozenset(WITH_TLS.values())
URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"  # RFC 3986 section 2: what has a meaning in a URL, and what is encoded already
_SCHEMES = "|".join([*WITH_TLS, *SCHEMES_WITH_TLS])
_SCHEME_WITHOUT_SLASHES = re.compile(rf"^(?:{_SCHEMES}):(?:/|(?!\d))", re.IGNORECASE)  # but `ws:8000` is a host
_UNIT_S = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)")
_GPU = re.compile(r"[0-9]{1,4}|(GPU|MIG)-[0-9A-Za-z/-]+")
_NUMBER = re.compile(r"[0-9]{1,9}")
_HIGHEST_NUMBER = {"port": 65_535, "pid": 2**22}
_LONGEST_MS = 60_000  # a silence or a delay that a server is asked for


def or_none(parse: Callable[[str], Any] = str) -> Callable[[str], Any]:
    """Makes an empty text None, so that nothing is sent and the server's own default holds."""
    return lambda text: parse(text) if text else None


def one_of(*words: str) -> Callable[[str], str]:
    """Takes one of these words and nothing else."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is not known: write {' or '.join(words)}")
        return text

    return parse


def parse_text(text: str) -> str:
    """Any text is good."""
    return text


def parse_phrases(text: str) -> tuple[str, ...]:
    """Words or phrases with commas between them."""
    return tuple(phrase.strip() for phrase in text.split(",") if phrase.strip())


def parse_pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Names and values with a colon between them, and commas between the pairs."""
    split = [pair.partition(":") for pair in text.split(",") if pair.strip()]
    if not all(name.strip() and value.strip() for name, _, value in split):
        raise ValueError(f"{text!r} has no value for a name: write NAME:VALUE,NAME:VALUE")
    return tuple((name.strip(), value.strip()) for name, _, value in split)


def parse_yes_or_no(text: str) -> bool:
    """`true` or `false`."""
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r}: write true or false")
    return text.lower() == "true"


def parse_flag(text: str) -> bool:
    """A flag as an environment variable or the web UI writes it; anything but true, yes or 1 leaves it off."""
    return text.lower() in ("true", "1", "yes")


# Numbers -------------------------------------------------------------------------------------------------


def parse_whole_number(text: str) -> int:
    """A whole number of either sign."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


def whole_number_from(minimum: int) -> Callable[[str], int]:
    """Takes whole numbers of `minimum` and more."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"\s*-?\d+\s*", text) or int(text) < minimum:
            raise ValueError(f"{text!r} must be a whole number from {minimum}")
        return int(text)

    return parse


def odd_number(text: str) -> int:
    """An odd number from 1: of so many trials, most say one thing or the other."""
    number = whole_number_from(1)(text)
    if number % 2 == 0:
        raise ValueError(f"{text!r} must be odd, like {number + 1}: most of so many trials decide")
    return number


def parse_number(text: str) -> float:
    """A number that JSON can hold: neither NaN nor infinity."""
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a number")
    return number


def parse_number_above_zero(text: str) -> float:
    """A finite number greater than zero."""
    number = parse_number(text)
    if number <= 0:
        raise ValueError(f"{text!r} must be greater than zero")
    return number


def parse_part_pct(text: str) -> float:
    """A part of something in percent, as a ratio: `5%` is 0.05. Not zero, and less than the whole."""
    number = parse_number(text.strip().removesuffix("%"))
    if not 0 < number < 100:
        raise ValueError(f"{text!r} must be a percentage between 0 and 100, like 5%")
    return number / 100


def number_from_to(low: float, high: float, parse: Callable[[str], Any] = parse_number) -> Callable[[str], Any]:
    """Takes numbers from `low` to `high`, both included."""

    def parse_within(text: str) -> Any:
        value = parse(text)
        if not low <= value <= high:
            raise ValueError(f"{text!r} must be from {low:g} to {high:g}")
        return value

    return parse_within


def parse_rate_hz(text: str) -> int:
    """A sample rate that speech can be sent at."""
    rate_hz = parse_whole_number(text)
    if not 8_000 <= rate_hz <= 48_000:
        raise ValueError(f"{text!r} is not a sample rate for speech: write 8000 to 48000")
    return rate_hz


def parse_share_pct(text: str) -> float:
    """A share in percent, as a ratio: `10%` is 0.1. It may be none, and is less than all."""
    number = parse_number(text.strip().removesuffix("%"))
    if not 0 <= number < 100:
        raise ValueError(f"{text!r} must be a percentage from 0 to less than 100, like 10%")
    return number / 100


def several(parse: Callable[[str], Any], nothing: str) -> Callable[[str], tuple[Any, ...]]:
    """Takes values with commas between them. The word `nothing` is one too, and becomes None."""

    def parse_all(text: str) -> tuple[Any, ...]:
        words = [word.strip() for word in text.split(",")]
        values = tuple(None if word == nothing else parse(word) for word in words)
        if len(set(values)) < len(values):
            raise ValueError(f"{text!r} names one thing twice: once is enough")
        return values

    return parse_all


# Times ---------------------------------------------------------------------------------------------------


def parse_milliseconds(text: str) -> int:
    """Whole milliseconds, from none to a minute."""
    if not text.isdecimal() or int(text) > _LONGEST_MS:
        raise ValueError(f"{text!r} is not a time: write whole milliseconds, 0 to {_LONGEST_MS}")
    return int(text)


def parse_seconds(text: str) -> float:
    """Seconds without a unit, from none to a minute."""
    seconds = parse_number(text)
    if not 0 <= seconds <= _LONGEST_MS / 1000:
        raise ValueError(f"{text!r} is not a time: write seconds, 0 to {_LONGEST_MS // 1000}")
    return seconds


def parse_duration_s(text: str) -> float:
    """`60s`, `500ms`, `2m`, `1h` or plain seconds."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a duration: write seconds, or 500ms, 60s, 2m, 1h")
    return float(match[1]) * _UNIT_S[match[2]]


def parse_positive_duration_s(text: str) -> float:
    """A duration longer than zero."""
    seconds = parse_duration_s(text)
    if seconds <= 0:
        raise ValueError(f"{text!r} must be longer than zero")
    return seconds


def parse_duration_range_s(text: str) -> tuple[float, float]:
    """`2s` (shortest and longest are the same) or `1..3s`."""
    low, separator, high = text.partition("..")
    if not separator:
        return (parse_duration_s(low),) * 2
    unit = re.sub(r"[\d.\s]", "", high)
    high_s = parse_duration_s(high)
    low_s = parse_duration_s(low if re.search(r"[a-z]", low) else low + unit)
    if low_s > high_s:
        raise ValueError(f"{text!r} begins above its end: write the shorter pause first, as in 1..3s")
    return low_s, high_s


# The rest of a run's options -----------------------------------------------------------------------------


def parse_ladder(text: str) -> tuple[int, ...]:
    """Callers of each stage, in order: whole numbers from 1 with commas between them."""
    steps = []
    for part in text.split(","):
        if not part.strip().isdecimal() or int(part) < 1:
            raise ValueError(
                f"{part.strip()!r} is not a number of callers: write whole numbers from 1, as in {DEFAULT_CONCURRENCY}"
            )
        steps.append(int(part))
    return tuple(steps)


def parse_spike(text: str) -> tuple[int, int, int]:
    """Callers before a spike, in it and after it: three of `parse_ladder`, the second more than the others."""
    match parse_ladder(text):
        case (before, spike, after) if spike > max(before, after):
            return before, spike, after
    raise ValueError(f"{text!r} is no spike: write callers before, in and after it, most of them in it, as in 5,40,5")


HTTP_SCHEMES = ("http", "https")


def parse_web_socket_url(text: str) -> str:
    """A ws:// or wss:// URL."""
    return parse_url(text, ("ws", "wss"))


def parse_http_url(text: str) -> str:
    """An http:// or https:// URL."""
    return parse_url(text, HTTP_SCHEMES)


def parse_url(text: str, schemes: Sequence[str]) -> str:
    """A URL that begins with one of `schemes` and names a usable host, in ASCII. Errors hide its secrets."""
    shown = as_typed(text)
    scheme, separator, rest = shown.partition("://")
    if scheme not in schemes:
        begins = " or ".join(f"{each}://" for each in schemes)
        is_with_tls = scheme in SCHEMES_WITH_TLS
        meant = next((each for each in schemes if (each in SCHEMES_WITH_TLS) == is_with_tls), schemes[0])
        place = rest if separator else _SCHEME_WITHOUT_SLASHES.sub("", shown)
        raise ValueError(f"{shown!r} must begin with {begins}: write {meant}://{place}")
    try:
        url = _in_ascii(text)
        is_usable = bool(urlsplit(url).hostname) and urlsplit(url).port != 0 and not re.search(r"\s", text)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError(f"{shown!r} has no usable host and port: write {schemes[0]}://HOST:PORT/PATH")
    return url


def _in_ascii(url: str) -> str:
    """The URL as it is sent: the host as DNS knows it (IDNA), the rest percent-encoded as UTF-8, as browsers do it.
    Raises ValueError for a name that no resolver takes."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()  # stumbles over empty and over-long parts
    if url.isascii():
        return url
    user, at, _ = parts.netloc.rpartition("@")
    port = "" if parts.port is None else f":{parts.port}"
    netloc = f"{quote(user, safe=URL_CHARACTERS)}{at}{f'[{host}]' if ':' in host else host}{port}"
    path, query = quote(parts.path, safe=URL_CHARACTERS), quote(parts.query, safe=URL_CHARACTERS)
    return urlunsplit(parts._replace(netloc=netloc, path=path, query=query))


def is_loopback(host: str) -> bool:
    """True for `localhost`, 127.x.x.x and ::1. Other names are not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_near(url: str) -> bool:
    """Whether the URL leads to this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def listener_at(url: str | None) -> str | None:
    """`port:8000` where the URL leads to this machine; None elsewhere."""
    parts = urlsplit(url or "")
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)  # a URL that is wrong, and is told so, may have none
    return f"port:{port}" if port and is_near(url or "") else None


def parse_listen_address(text: str) -> tuple[str, int]:
    """`9646`, `0.0.0.0:9646` or `[::1]:9646`: a host, 127.0.0.1 where none is named, and a port from 1."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not _NUMBER.fullmatch(port) or not 1 <= int(port) <= _HIGHEST_NUMBER["port"] or re.search(r"[\s/@]", host):
        raise ValueError(f"{text!r} is no place to listen at: write a port as in 9646, or HOST:PORT")
    return host, int(port)


def parse_otlp_endpoint(text: str) -> str:
    """`env`, or the http:// or https:// URL of a collector."""
    return text if text == "env" else parse_http_url(text)


def parse_sidecars(text: str) -> tuple[str, ...]:
    """`off` means none; else places with commas between them, each `local` or a URL."""
    if text.strip() == "off":
        return ()
    places = tuple(part.strip().rstrip("/") for part in text.split(","))
    for place in places:
        if place == "off":
            raise ValueError("off goes with no other sidecar: leave it out, or write off alone")
        if place != "local":
            _sidecar_url(place)
        if places.count(place) > 1:
            raise ValueError(f"{place} is named twice: once is enough")
    return places


def _sidecar_url(text: str) -> str:
    parts = urlsplit(parse_http_url(text))
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("write http://HOST:PORT alone: the token comes from GPU_SIDECAR_TOKEN")
    return text


def parse_gpus(text: str) -> str:
    """GPUs by index or UUID, or all, or none. The sidecar, which knows the GPUs, reads it: only nonsense is refused."""
    if text not in ("all", "none") and not all(_GPU.fullmatch(part.strip()) for part in text.split(",")):
        raise ValueError(
            f"{text!r} names no GPU: write indexes or UUIDs as in 0,1 (`nvidia-smi -L` lists them), all or none"
        )
    return text


def parse_process(text: str) -> str:
    """`port:8000`, `pid:4242` or `name:PATTERN`. The sidecar looks for the process: only nonsense is refused here."""
    how, _, what = text.partition(":")
    if how == "name" and what:
        try:
            re.compile(what)
        except re.error as error:
            raise ValueError(f"{what!r} is not a regular expression ({error})") from None
    elif not (_NUMBER.fullmatch(what) and 1 <= int(what) <= _HIGHEST_NUMBER.get(how, 0)):
        raise ValueError(f"{text!r} names no process: write port:8000, pid:4242 or name:PATTERN")
    return text


def parse_label(text: str) -> str:
    """A name that is safe in a folder's name."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", text):
        raise ValueError(f"{text!r} becomes a folder name: letters, digits, dot, dash, underscore, 60 at most")
    return text


def completed_by(default_url: str, url: str, is_root_bare: bool = True) -> str:
    """`url` with the path of `default_url` where it has none, and with its port where there is none and the scheme has
    none of its own. `is_root_bare`: a lone slash is none; no server takes files or texts at its root, but some
    websockets are there, behind a proxy for example."""
    default = urlsplit(default_url)
    try:
        parts = urlsplit(url)
        lacks_port = parts.port is None and parts.scheme not in DEFAULT_PORTS
    except ValueError:  # its parser says so
        return url
    if not parts.path or (is_root_bare and parts.path == "/"):
        parts = parts._replace(path=default.path)
    if lacks_port and default.port is not None:
        parts = parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{default.port}")
    return urlunsplit(parts)
