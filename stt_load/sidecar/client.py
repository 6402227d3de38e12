"""The load test's client of the GPU sidecar: announces stages, pulls samples, asks what is watched.

If the sidecar can't be reached, the run only loses its samples: `SidecarClient` never raises for that. A call blocks
for at most about `timeout_s`, so a process that paces audio calls it from a separate greenlet.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
import urllib3

from stt_load.clock import SteadyWallClock
from stt_load.credentials import Credentials
from stt_load.net.direct_session import DirectSession
from stt_load.plausible import Moment, objection
from stt_load.process.log import log
from stt_load.sidecar.clock import Exchange, SidecarClock
from stt_load.sidecar_rows import GpuEntry, SampleTags, SentGap, SentSample, SidecarEntry, Source, wrong_figures

_GPU_KEYS = ("index", "uuid", "name", "driver", "memory_total_mib")
_SIDECAR_KEYS = ("why", "is_guess", "warnings", "machine", "server", "metrics")  # of a sidecar's health, for run.json
_EARLIER_GAPS = 100  # kept; a sidecar keeps as many
_MAX_PAGES = 200  # of one pull: all that a sidecar holds, and more
_MAX_ANSWER_BYTES = 8 * 1024 * 1024  # a page of a thousand samples has one or two; what is longer is no sidecar's
_READ_BYTES = 64 * 1024
_MOST_TIMEOUTS = 5  # for a whole answer
_TOLD_CLOCK_S = 0.1  # a contradiction between clocks that is worth a line


class _NoAnswer(Exception):
    """No sidecar answered; the text says in one line what happened instead."""


class SidecarClient:
    """The client of one sidecar for one run. Samples from before the first exchange don't belong to the run.

    A sidecar that was restarted (its `boot` changes) is told the current stage first, and its clock is estimated again;
    the stage is also told again if an announcement got lost. Rows are numbered on over a restart, however the new
    sidecar counts: `seq` is unique and increasing as long as this client lives.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        timeout_s: float = 2.0,
        name_host: Callable[[str], str] = str,
        wall_clock: SteadyWallClock | None = None,
    ) -> None:
        """`name_host` maps the sidecar's name of its host to the one in rows and descriptions. `wall_clock`: what "our
        wall clock" means below; None: the one of now."""
        self.url = url.rstrip("/")
        self.available = False
        self.boot: str | None = None
        self._name_host = name_host
        self._wall_clock = wall_clock or SteadyWallClock.read(time.time, time.monotonic)
        self._timeout_s = timeout_s
        self._lock = threading.RLock()  # stages are announced while samples are pulled
        self._session = DirectSession()
        self._session.trust_env = False  # no proxy between us and the GPU host
        self._credentials = Credentials(token)
        if token is not None:
            # UTF-8 on the wire, whatever the token holds: http.client writes text as latin-1.
            self._session.headers["Authorization"] = f"Bearer {token}".encode().decode("latin-1")
        self._has_warned = False
        self._wrong_figures: set[str] = set()  # names that were warned of
        self._health: Mapping[str, Any] = {"why": "not asked yet"}
        self._clock = SidecarClock()
        self._earlier_gaps: list[tuple[str, dict[str, Any]]] = []  # (kind of source, gap on our clock) of earlier boots
        self._tag: dict[str, Any] | None = None
        self._tag_is_known = False
        self._after = 0  # newest sample read, as this boot of the sidecar numbers it
        self._last_seq = 0  # and as we do
        self._ahead: int | None = 0  # how far our numbers are ahead of the sidecar's; None until its first sample

    @property
    def clock_offset_s(self) -> float | None:
        """The sidecar's wall clock minus ours; None before the first exchange."""
        return self._clock.offset_s(self._wall_clock.ahead_s)

    @property
    def clock_uncertainty_s(self) -> float | None:
        """The offset is right to within this much, either way, now."""
        return self._clock.uncertainty_s(time.monotonic())

    def announce(self, run_id: str | None, stage: int | None, users: int | None, phase: str | None) -> None:
        """Tags the sidecar's samples from now on. The next `pull` repeats an announcement that got lost."""
        with self._lock:
            self._tag = {"run_id": run_id, "stage": stage, "users": users, "phase": phase}
            self._tag_is_known = False
            self._tell_tag()

    def pull(self) -> list[dict[str, Any]]:
        """The samples since the last pull, as rows of gpu.jsonl and host.jsonl (`kind` says which).

        `t` is on our wall clock; `host` and `boot` are added.
        """
        with self._lock:
            if not self._tell_tag() or (self.boot is None and not self.check()):
                return []  # wait once for a sidecar that is away, not for each request
            rows: list[dict[str, Any]] = []
            for _ in range(_MAX_PAGES):
                page_rows, more = self._pull_page()
                rows += page_rows
                if not more:
                    break
            return rows

    def check(self) -> bool:
        """Asks for the sidecar's health, which the two methods below describe. False if it doesn't answer."""
        with self._lock:
            health = self._exchange("GET", "/healthz")
            self._health = health or self._health
            return health is not None

    def describe(self) -> dict[str, Any]:
        """The entry of run.json's `sidecars`, as of the last `check`. `host` is None if it never answered; then `why`
        says what happened instead."""
        return {
            "url": self.url,
            "host": self._host,
            **{key: self._health.get(key) if self._is_plausible(key) else None for key in _SIDECAR_KEYS},
            "sources": self._sources_with_earlier_gaps(),
            "clock_offset_s": self.clock_offset_s,
            "clock_uncertainty_s": self.clock_uncertainty_s,
        }

    def describe_gpus(self) -> list[dict[str, Any]]:
        """The entries of run.json's `gpu`, one for each watched GPU, as of the last `check`."""
        gpus = _objects(self._health.get("gpus"))
        found = [gpu for gpu in gpus if gpu.get("index") is not None and not objection(gpu, GpuEntry)]
        return [{"host": self._host, **{key: gpu.get(key) for key in _GPU_KEYS}} for gpu in found]

    @property
    def _host(self) -> str | None:
        host = self._health.get("host")
        return None if host is None else self._name_host(str(host))

    def _is_plausible(self, key: str) -> bool:
        return not objection({key: self._health.get(key)}, SidecarEntry)

    def _sources_with_earlier_gaps(self) -> Any:
        """The sources with all gaps, also those from before a restart of the sidecar, which it has forgotten.

        `began` and `ended` are where the sidecar's wall clock would be, had nobody set it in between.
        """
        offset_s = self.clock_offset_s or 0.0
        return [
            {**source, "gaps": [_shifted(gap, offset_s) for gap in self._gaps_on_our_clock(source)]}
            for source in self._sources()
        ]

    def _gaps_on_our_clock(self, source: Mapping[str, Any]) -> list[dict[str, Any]]:
        earlier = [gap for kind, gap in self._earlier_gaps if kind == source.get("kind")]
        return [*earlier, *(self._on_our_clock(gap) for gap in source.get("gaps", ()))]

    def _on_our_clock(self, gap: Mapping[str, Any]) -> dict[str, Any]:
        """The gap with `began` and `ended` on our wall clock, by the monotonic clock that the sidecar's gap has too."""
        ours = _shifted(gap, -(self.clock_offset_s or 0.0))
        for name in ("began", "ended"):
            mono = ours.pop(f"{name}_mono", None)
            our_mono = self._clock.to_our_mono(float(mono)) if mono is not None else None
            if our_mono is not None:
                ours[name] = self._wall_clock.at(our_mono)
        return ours

    def _sources(self) -> list[dict[str, Any]]:
        """The sources, each with those of its gaps that say when they began."""
        sources = [
            {**source, "gaps": [gap for gap in _objects(source.get("gaps")) if not objection(gap, SentGap)]}
            for source in _objects(self._health.get("sources"))
        ]
        return [source for source in sources if not objection(source, Source)]

    def _keep_gaps(self) -> None:
        """Keeps the gaps of the last `check`, on our clock, when the sidecar was restarted. Open gaps are dropped."""
        for source in self._sources():
            for gap in source.get("gaps", ()):
                if gap.get("ended") is not None:
                    self._earlier_gaps.append((str(source.get("kind")), self._on_our_clock(gap)))
        self._earlier_gaps = self._earlier_gaps[-_EARLIER_GAPS:]
        self._health = {**self._health, "sources": [{**source, "gaps": []} for source in self._sources()]}

    def _tell_tag(self) -> bool:
        """Tells the sidecar the stage if it doesn't know it. False if that failed."""
        if self._tag is not None and not self._tag_is_known:
            # Our newest number: a restarted sidecar goes on counting from there.
            after = {} if self.boot is None else {"after": self._last_seq}
            # True even if this exchange shows that the sidecar was restarted: then the new one has been told.
            self._tag_is_known = self._exchange("POST", "/stage", body={**self._tag, **after}) is not None
        return self._tag is None or self._tag_is_known

    def _pull_page(self) -> tuple[list[dict[str, Any]], bool]:
        """The next page's rows, and whether there is another page to fetch."""
        boot = self.boot
        page = self._exchange("GET", "/samples", after=self._after)
        if page is not None and self.boot != boot:
            # After a restart it is told where we are, and read from its beginning.
            boot = self.boot
            page = self._exchange("GET", "/samples", after=self._after) if self._tell_tag() else None
        if page is None or self.boot != boot:
            return [], False
        before, samples, more = self._after, page.get("samples"), page.get("more")
        if not isinstance(samples, list) or not isinstance(more, bool):
            self._note_failure("its samples can't be read (no list of them)")
            return [], False
        # What can't be read now can't be read later either: the next page follows all the same.
        self._after = page["next"]
        rows = [row for sample in samples if (row := self._as_row(sample, page)) is not None]
        if samples and not rows:
            self._note_failure("its samples can't be read")
        elif len(rows) < len(samples):
            n_unread = len(samples) - len(rows)
            log.warning("GPU sidecar %s: %d of %d samples can't be read", self.url, n_unread, len(samples))
        self._number(rows)
        return rows, more and self._after > before

    def _as_row(self, sample: Any, page: Mapping[str, Any]) -> dict[str, Any] | None:
        """A row of gpu.jsonl or host.jsonl: with `t` on our clock in place of the sidecar's two clocks. None for what
        is no sample."""
        if objection(sample, SentSample):
            return None
        measured = {key: value for key, value in sample.items() if key not in ("t", "mono")}
        our_mono = self._clock.to_our_mono(float(sample["mono"]))
        assert our_mono is not None  # there was an exchange, or there would be no sample
        row = {"t": self._wall_clock.at(our_mono), "host": self._name_host(page["host"]), "boot": page["boot"]}
        row |= measured
        if objection(row, SampleTags):
            return None
        for name in wrong_figures(row):
            if name not in self._wrong_figures:
                self._wrong_figures.add(name)
                log.warning("GPU sidecar %s: %s is %.40s, which is no figure", self.url, name, row[name])
            del row[name]
        return row

    def _number(self, rows: list[dict[str, Any]]) -> None:
        """Gives rows our numbers in place of the sidecar's."""
        if not rows:
            return
        first = rows[0]["seq"]
        if self._ahead is None:
            self._ahead = 0 if first > self._last_seq else self._last_seq
        n_lost = first + self._ahead - self._last_seq - 1
        if n_lost > 0:
            log.warning("GPU sidecar %s: %d samples were overwritten before they were read", self.url, n_lost)
        for row in rows:
            row["seq"] = self._last_seq = row["seq"] + self._ahead

    def _exchange(
        self, method: str, path: str, body: dict[str, Any] | None = None, after: int | None = None
    ) -> dict[str, Any] | None:
        """Sends one request and returns its answer; None, and one warning until it is back, if no sidecar answered."""
        try:
            answer, exchange = self._request(method, path, body, None if after is None else {"after": after})
        except _NoAnswer as error:
            self._note_failure(str(error))
            return None
        self._note_boot(answer["boot"], answer["next"])
        apart_s = self._clock.note(exchange)
        if abs(apart_s) > _TOLD_CLOCK_S:
            stood = "its clock" if apart_s < 0 else "our clock"
            log.warning(
                "GPU sidecar %s: %s stood still for %.1f s; times are right again", self.url, stood, abs(apart_s)
            )
        self._note_success()
        return answer

    def _request(
        self, method: str, path: str, body: dict[str, Any] | None, params: dict[str, int] | None
    ) -> tuple[dict[str, Any], Exchange]:
        asked = time.monotonic()
        try:
            with self._session.request(
                method,
                self.url + path,
                json=body,
                params=params,
                timeout=self._timeout_s,
                stream=True,
            ) as response:
                content = self._read_body(response, asked)
                answered = time.monotonic()
            answer = _read_answer(response, content)
            wall, mono = float(answer["clock"]["wall"]), float(answer["clock"]["mono"])
            if why := objection({"wall": wall, "mono": mono}, dict[str, Moment]):
                raise ValueError(f"its clock says {wall:g} and {mono:g}: {why}")
            answer |= {"boot": str(answer["boot"]), "host": str(answer["host"]), "next": int(answer["next"])}
        except requests.Timeout:
            raise _NoAnswer(f"no answer within {self._timeout_s:g} s") from None
        except requests.ConnectionError:
            raise _NoAnswer("nothing answers there") from None
        except urllib3.exceptions.HTTPError as error:
            raise _NoAnswer(f"its answer ends early ({type(error).__name__})") from None
        except (KeyError, TypeError, RecursionError, json.JSONDecodeError, UnicodeDecodeError):
            raise _NoAnswer("what answers there is not a GPU sidecar") from None
        except (requests.RequestException, ValueError) as error:
            raise _NoAnswer(str(error)) from None
        return answer, Exchange(asked, answered, wall, mono)

    def _read_body(self, response: requests.Response, asked: float) -> bytes:
        """The whole answer. Raises _NoAnswer for one without an end: a time-out of `requests` begins again with each
        piece."""
        content = bytearray()
        while piece := response.raw.read1(_READ_BYTES, decode_content=True):  # what is there; others wait for all of it
            content += piece
            time.sleep(0)  # under Locust: one that never pauses keeps nobody else waiting
            if len(content) > _MAX_ANSWER_BYTES:
                raise _NoAnswer(f"its answer is longer than {_MAX_ANSWER_BYTES >> 20} MiB")
            if time.monotonic() - asked > _MOST_TIMEOUTS * self._timeout_s:
                raise _NoAnswer(f"no whole answer within {_MOST_TIMEOUTS * self._timeout_s:g} s")
        return bytes(content)

    def _note_boot(self, boot: str, next_seq: int) -> None:
        if boot == self.boot:
            return
        if self.boot is None:  # what was sampled before is not ours
            self._after = self._last_seq = next_seq
        else:  # all that was sampled since its restart is
            self._keep_gaps()
            self._after, self._ahead = 0, None
        self.boot, self._clock, self._tag_is_known = boot, SidecarClock(), False

    def _note_failure(self, why: str) -> None:
        why = self._credentials.hide(why)
        self.available = False
        if self._host is None:
            self._health = {"why": why}
        if not self._has_warned:
            log.warning("GPU sidecar %s: %s; no samples until it is back", self.url, why)
        self._has_warned = True

    def _note_success(self) -> None:
        self.available = True
        if self._has_warned:
            log.warning("GPU sidecar %s: back", self.url)
        self._has_warned = False


def _shifted(gap: Mapping[str, Any], by_s: float) -> dict[str, Any]:
    ended = gap.get("ended")
    return {**gap, "began": gap["began"] + by_s, "ended": None if ended is None else ended + by_s}


def _objects(value: Any) -> list[dict[str, Any]]:
    """The JSON objects in a list; none in anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _read_answer(response: requests.Response, content: bytes) -> dict[str, Any]:
    if response.status_code == requests.codes.unauthorized:
        raise _NoAnswer("it wants its own token: set GPU_SIDECAR_TOKEN to that")
    answer = json.loads(content, parse_constant=_finite, parse_float=_finite)
    if not isinstance(answer, dict):
        raise _NoAnswer("what answers there is not a GPU sidecar")
    if response.status_code != requests.codes.ok:
        raise _NoAnswer(f"it answered {response.status_code}: {answer.get('error', 'without a reason')}")
    return answer


def _finite(text: str) -> float:
    """A number of the sidecar's JSON. Raises ValueError for NaN and infinity, which the run folder can't store."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"it answered {text}, which is not a number")
    return number
