"""Samples of GPUs, host and server while the run goes on: stages to the sidecars, samples into the run folder."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.event import Event

from stt_load.clock import SteadyWallClock
from stt_load.credentials import sidecar_token
from stt_load.process.log import log
from stt_load.run.fault import fault_line
from stt_load.run.stage_update import StageUpdate
from stt_load.sidecar.client import SidecarClient
from stt_load.sidecar.local import LocalSidecar

_PULL_PERIOD_S = 1.0
_CHECK_PERIOD_S = 10.0  # what is watched may change: a server that starts late, a source that broke
_FIRST_START_PAUSE_S, _LONGEST_START_PAUSE_S = 1.0, 30.0
_STOP_LIMIT_S = 20.0  # a few waits for a sidecar that is away, and the end of a local one

WriteSample = Callable[[Mapping[str, Any]], None]
Description = Mapping[str, list[dict[str, Any]]]
StartLocal = Callable[[], LocalSidecar]


class GpuFeed:
    """All sidecars of one run, each read in a greenlet of its own: one that is away or slow delays nobody.

    No sidecar costs the run more than a warning and its samples.
    """

    def __init__(
        self,
        places: Sequence[str],
        start_local: StartLocal,
        write: WriteSample,
        on_news: Callable[[Description], None],
        wall_clock: SteadyWallClock,
    ) -> None:
        """`places`: URLs, or `local` for one that `start_local` makes and that lives as long as this feed.
        `on_news`: takes `gpu` and `sidecars` of `run.json` whenever there is something new. `wall_clock`: the run's."""
        self.wall_clock = wall_clock
        self._on_news = on_news
        self._owners: dict[str, str] = {}  # URL of the sidecar that first went under a host's name
        self._boots: dict[str, str] = {}  # and by its start
        self._readers = [_Reader(self, place, start_local, write) for place in places]

    def announce(self, update: StageUpdate) -> None:
        for reader in self._readers:
            reader.announce(update)

    def stop(self) -> None:
        """The last samples, and the end of a local sidecar."""
        for reader in self._readers:
            reader.stop()
        gevent.joinall([reader.greenlet for reader in self._readers], timeout=_STOP_LIMIT_S)
        gevent.killall([reader.greenlet for reader in self._readers])

    def name_host(self, url: str, host: str) -> str:
        """The host's own name; where another sidecar goes under that already, with the address behind it.

        So two machines with the same name, or two sidecars on one machine, don't become one device.
        """
        owner = self._owners.setdefault(host, url)
        return host if owner == url else f"{host} at {urlsplit(url).netloc}"

    def same_as(self, boot: str, url: str) -> str | None:
        """The URL under which this very sidecar is read already; None where this is the first."""
        owner = self._boots.setdefault(boot, url)
        return None if owner == url else owner

    def tell_news(self) -> None:
        gpus = [gpu for reader in self._readers for gpu in reader.gpus]
        self._on_news({"gpu": gpus, "sidecars": [reader.entry for reader in self._readers]})


class _Reader:
    """Follows one sidecar: tells it the newest stage, reads it once a second, and asks now and then what it watches."""

    def __init__(self, feed: GpuFeed, place: str, start_local: StartLocal, write: WriteSample) -> None:
        self.gpus: list[dict[str, Any]] = []
        self.entry: dict[str, Any] = {"url": place, "host": None, "why": "not reached"}
        self._feed = feed
        self._place = place
        self._start_local = start_local
        self._write = write
        self._untold: StageUpdate | None = None  # the newest, as long as the sidecar has not been told
        self._is_over = False
        self._wake = Event()
        self._local: LocalSidecar | None = None
        self._checked_s = 0.0
        self._known_boot: str | None = None
        self._warned_of: set[str] = set()
        self._is_down = False  # the local one
        self._start_again_s = 0.0
        self._start_pause_s = _FIRST_START_PAUSE_S
        self.greenlet = gevent.spawn(self._run)

    def announce(self, update: StageUpdate) -> None:
        self._untold = update
        self._wake.set()  # told at once

    def stop(self) -> None:
        self._is_over = True
        self._wake.set()

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                self._read(self._client(stack))
        except Exception as error:
            log.warning("no samples from the GPU sidecar %s: %s", self._place, error)
            self._tell_news({**self.entry, "why": str(error)}, self.gpus)

    def _client(self, stack: contextlib.ExitStack) -> SidecarClient:
        url, token = self._place, sidecar_token(os.environ)
        if self._place == "local":
            self._local = stack.enter_context(self._start_local())
            url, token = self._local.url, self._local.token
        name_host = partial(self._feed.name_host, url)
        return SidecarClient(url, token, name_host=name_host, wall_clock=self._feed.wall_clock)

    def _read(self, client: SidecarClient) -> None:
        self._tell_news(client.describe(), [])  # one that never answers is named too
        is_last = False
        while True:
            try:
                if not self._read_once(client):
                    return
            except Exception as error:  # costs the samples of this moment, not those to come
                self._warn_once(f"samples are lost: {fault_line(error)}")
            if is_last:
                break
            self._wake.wait(_PULL_PERIOD_S)
            self._wake.clear()
            is_last = self._is_over
        if client.available:
            self._check(client)
            client.announce(None, None, None, None)  # what comes now is nobody's

    def _start_again(self, client: SidecarClient, local: LocalSidecar) -> None:
        """Starts a local sidecar again that has ended by itself: at once, then after 2 s, 4 s ... 30 s."""
        exit_code = local.exit_code
        if exit_code is not None and not self._is_down:
            local.pass_on_log()
            log.warning("the local GPU sidecar ended (exit code %d): starting it again", exit_code)
            self._is_down = True
        if self._is_over or not self._is_down or time.monotonic() < self._start_again_s:
            return
        self._start_pause_s = min(2 * self._start_pause_s, _LONGEST_START_PAUSE_S)
        self._start_again_s = time.monotonic() + self._start_pause_s
        local.start()
        client.url, self._is_down = local.url, False

    def _read_once(self, client: SidecarClient) -> bool:
        """Tells the sidecar what is new and takes its samples. False where another reader reads this one already."""
        if self._local is not None:
            self._start_again(client, self._local)
        update, self._untold = self._untold, None
        if update is not None:
            client.announce(update.run_id, update.stage, update.users, str(update.phase))
        # One wait for a sidecar that is away, not two.
        rows = client.pull() if update is None or client.available else []
        if self._is_twice(client):
            return False
        self._write_all(rows)
        if client.available:
            self._check_if_due(client)
        elif client.describe()["why"] != self.entry["why"]:  # it never answered, and this is what came instead
            self._tell_news(client.describe(), self.gpus)
        if self._local is not None:
            self._local.pass_on_log()
        return True

    def _write_all(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes every row that can be written, then raises the first exception of the others."""
        errors: list[Exception] = []
        for row in rows:
            try:
                self._write(row)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _check_if_due(self, client: SidecarClient) -> None:
        if client.boot != self._known_boot:
            self._check(client)
        elif time.monotonic() - self._checked_s >= _CHECK_PERIOD_S:
            self._check(client)
            if self._local is None:
                self._warn_of(self.entry, self.gpus)

    def _check(self, client: SidecarClient) -> None:
        self._checked_s, self._known_boot = time.monotonic(), client.boot
        client.check()
        self._tell_news(client.describe(), client.describe_gpus())

    def _warn_of(self, entry: Mapping[str, Any], gpus: Sequence[object]) -> None:
        """Once for each reason, and not before it has had time to find its GPUs. A local sidecar warns by itself."""
        lines = [str(warning) for warning in entry["warnings"] or ()]
        if entry["is_guess"] or not (gpus or entry["server"]):
            lines.append(f"{entry['why']}{'' if gpus else '; no GPU samples'}")
        for line in lines:
            self._warn_once(line)

    def _warn_once(self, line: str) -> None:
        if line not in self._warned_of:
            log.warning("GPU sidecar %s: %s", self._place, line)
            self._warned_of.add(line)

    def _is_twice(self, client: SidecarClient) -> bool:
        """Two URLs can lead to one sidecar: its samples are taken once."""
        other = self._feed.same_as(client.boot, client.url) if client.boot is not None else None
        if other is not None:
            log.warning("GPU sidecar %s is the one at %s: read once", client.url, other)
            self._tell_news({**client.describe(), "why": f"it is the one at {other}, and read there"}, [])
        return other is not None

    def _tell_news(self, entry: dict[str, Any], gpus: list[dict[str, Any]]) -> None:
        self.entry, self.gpus = entry, gpus
        self._feed.tell_news()
