"""A server's own metrics while the run goes on: its Prometheus text is read about once a second, and what is kept of it
goes into the run folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import gevent
import requests
from gevent.event import Event

from stt_load.clock import Clock, SteadyWallClock
from stt_load.net.direct_session import DirectSession, HeadTooLong
from stt_load.process.log import log
from stt_load.server_metrics.choice import ServerMetric, name_of
from stt_load.server_metrics.known import every_known
from stt_load.server_metrics.samples import MOST_SAMPLES, SampleLines, read_sample
from stt_load.text.url_secrets import without_credentials

_PERIOD_S = 1.0
_TIMEOUT_S = 2.0  # to connect, and for each piece
_LOOK_LIMIT_S = 5.0  # for a whole answer
_STOP_LIMIT_S = 2.0
_PIECE_BYTES = 16 * 1024  # some two hundred lines, which are looked through in a tenth of a millisecond
_MOST_BYTES = 8 * 2**20
_FLOOD_PAUSE_S = 30.0  # after an answer that was too long: to read through megabytes every second is work beside audio
_AT_ONCE = 10  # lines read before other greenlets have their turn: half a millisecond

# What is asked for is text of version 0.0.4, in which every sample has its line.
_HEADERS = {"Accept": "text/plain; version=0.0.4", "Accept-Encoding": "identity"}


class NoLook(Exception):
    """Nothing could be read; the text says why in one line."""


class TooMuch(NoLook):
    """The answer has no end, as far as anybody wants to know."""


class ServerFeed:
    """Reads one endpoint in a greenlet of its own. Whatever it says or does costs the run no more than a warning and
    its figures. It is sent no credentials but those that its URL holds."""

    def __init__(
        self,
        url: str | None,
        metrics: Sequence[ServerMetric],
        is_insecure: bool,
        write: Callable[[Mapping[str, Any]], None],
        on_news: Callable[[Mapping[str, Any]], None],
        wall_clock: SteadyWallClock,
        clock: Clock = time.monotonic,
    ) -> None:
        """`url`: None reads nothing. `metrics`: those to keep; without any, those of the known servers. `write`: takes
        each look, `on_news`: `server_metrics` of run.json whenever there is something new."""
        self._url = url
        self._metrics = tuple(metrics) or every_known()
        self._is_chosen = bool(metrics)
        self._write = write
        self._on_news = on_news
        self._wall_clock = wall_clock
        self._clock = clock
        self._session = DirectSession()
        self._session.trust_env = False  # no proxy between us and the server
        self._session.verify = not is_insecure
        self._looks = self._failed = 0
        self._seen: set[str] = set()  # names
        self._why: str | None = None
        self._not_before_s = 0.0  # no look, by the clock
        self._told: set[str] = set()
        self._is_over = Event()
        self._greenlet = gevent.Greenlet(self._look_on)

    def start(self) -> None:
        if self._url is not None:
            read_sample("")  # imports its parser now, and not when audio is due
            self._tell_news()
            self._greenlet.start()

    def stop(self) -> None:
        self._is_over.set()
        if self._url is not None:
            self._greenlet.join(_STOP_LIMIT_S)
            self._greenlet.kill()
            self._tell_of_missing()
            self._tell_news()

    def _tell_of_missing(self) -> None:
        """Says what was asked for and never there. Some servers have a metric only once it has a value."""
        missing = [str(metric) for metric in self._metrics if not self._has(metric)]
        if self._looks and self._is_chosen and missing:
            self._warn_once(f"it never had {', '.join(missing)}")
        elif self._looks and not self._seen:
            self._warn_once("it has no metric that is known: name those to keep with --server-metric")

    def _look_on(self) -> None:
        due_s = self._clock()
        while True:
            self.look()
            due_s = max(due_s + _PERIOD_S, self._clock(), self._not_before_s)  # one that is late is left out
            if self._is_over.wait(max(due_s - self._clock(), 0.01)):
                return

    def look(self) -> None:
        """Reads what the server says now. Whatever is wrong costs this look."""
        asked_s = self._clock()
        try:
            with gevent.Timeout(_LOOK_LIMIT_S, NoLook(f"no whole answer within {_LOOK_LIMIT_S:g} s")):
                values = self._values()
            at_s = self._clock()
        except Exception as error:  # whatever a server may think of
            if isinstance(error, (TooMuch, HeadTooLong)):
                self._not_before_s = self._clock() + _FLOOD_PAUSE_S
            self._note_failure(_reason(error))
            return
        self._looks += 1
        # In the middle: nobody knows when the server read its counters.
        self._write({"t": self._wall_clock.at((asked_s + at_s) / 2), "took_s": at_s - asked_s, "values": values})
        names = set(map(name_of, values))
        if names - self._seen:
            self._seen |= names
            self._tell_news()

    def _values(self) -> dict[str, float]:
        """The value of each series that is kept. Raises NoLook, and what requests raises."""
        lines = SampleLines({name for metric in self._metrics for name in metric.series})
        values: dict[str, float] = {}
        for number, line in enumerate(self._kept_lines(lines)):
            sample = read_sample(line)
            if sample is not None:
                values[sample[0]] = sample[1]
            if number % _AT_ONCE == _AT_ONCE - 1:
                gevent.sleep(0)
        if lines.is_cut:
            self._warn_once(f"more than {MOST_SAMPLES} series of what is kept: the others are left out")
        return values

    def _kept_lines(self, lines: SampleLines) -> Iterator[str]:
        answer = self._session.get(str(self._url), headers=_HEADERS, timeout=_TIMEOUT_S, stream=True)
        with closing(answer):
            if answer.status_code != requests.codes.ok:
                raise NoLook(f"it answers {answer.status_code}")
            n_bytes = 0
            while piece := answer.raw.read1(_PIECE_BYTES, decode_content=True):
                n_bytes += len(piece)
                if n_bytes > _MOST_BYTES:
                    raise TooMuch(f"its answer is longer than {_MOST_BYTES >> 20} MiB")
                yield from lines.take(piece)
                gevent.sleep(0)
            yield from lines.rest()

    def _note_failure(self, why: str) -> None:
        self._failed += 1
        self._why = why
        self._warn_once(why)

    def _warn_once(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            log.warning("server metrics at %s: %s", without_credentials(self._url), why)

    def _has(self, metric: ServerMetric) -> bool:
        return self._seen.issuperset(metric.series)

    def _tell_news(self) -> None:
        has = [str(metric) for metric in self._metrics if self._has(metric)]
        self._on_news(
            {
                "server_metrics": {
                    "url": without_credentials(self._url),
                    "metrics": [str(metric) for metric in self._metrics] if self._is_chosen else has,
                    "looks": self._looks,
                    "failed": self._failed,
                    "why": self._why,
                }
            }
        )


def _reason(error: Exception) -> str:
    """What went wrong in one line, without the URL that requests quotes with its secrets."""
    if isinstance(error, (NoLook, HeadTooLong)):
        return str(error)
    if isinstance(error, requests.Timeout):
        return f"no answer within {_TIMEOUT_S:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate is not accepted: --insecure accepts any"
    if isinstance(error, requests.ConnectionError):
        return "nothing answers there"
    return f"its answer can't be read ({type(error).__name__})"
