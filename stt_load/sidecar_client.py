"""The load test's end of the GPU sidecar: announces stages and pulls samples.

Where the sidecar can't be reached the run loses its GPU columns and nothing else: `SidecarClient` never raises
for it. It blocks for at most about `timeout_s` a call, so whoever paces audio calls it from a greenlet of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

_log = logging.getLogger(__name__)


class _NoAnswer(Exception):
    """No sidecar answered, or not as one does; one line."""


@dataclass(frozen=True, slots=True)
class ClockEstimate:
    """One exchange: at `our_wall` here (half-way through it) the sidecar's clocks read `wall` and `mono`.

    Off by at most half of `round_trip_s`, so the exchange with the shortest one is the one to keep.
    """

    our_wall: float
    wall: float
    mono: float
    round_trip_s: float

    def to_our_wall(self, mono: float) -> float:
        """A moment on the sidecar's monotonic clock, on our wall clock: its wall clock may be set meanwhile."""
        return self.our_wall + (mono - self.mono)


class SidecarClient:
    """One sidecar, for one run. Its samples count from the first exchange on; older ones belong to others.

    After a restart of the sidecar (its `boot` changes) numbers and clock begin again, and the current stage is
    announced again; so it is after an announcement that got lost.
    """

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 2.0) -> None:
        self.url = url.rstrip("/")
        self.available = False
        self._timeout_s = timeout_s
        self._lock = threading.RLock()  # stages are announced while samples are pulled
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between us and the GPU host
        if token is not None:
            # UTF-8 on the wire, whatever the token holds: http.client writes text as latin-1.
            self._session.headers["Authorization"] = f"Bearer {token}".encode().decode("latin-1")
        self._has_warned = False
        self._boot: str | None = None
        self._after = 0
        self._clock: ClockEstimate | None = None
        self._tag: dict[str, Any] | None = None
        self._tag_is_known = False

    @property
    def clock_offset_s(self) -> float | None:
        """The sidecar's wall clock minus ours; None before the first exchange."""
        return None if self._clock is None else self._clock.wall - self._clock.our_wall

    @property
    def clock_uncertainty_s(self) -> float | None:
        """The offset is right to within this much, either way."""
        return None if self._clock is None else self._clock.round_trip_s / 2

    def announce(self, run_id: str | None, stage: int | None, users: int | None, phase: str | None) -> None:
        """From now on samples belong to this. Lost announcements are made up for by the next `pull`."""
        with self._lock:
            self._tag = {"run_id": run_id, "stage": stage, "users": users, "phase": phase}
            self._tag_is_known = False
            self._tell_tag()

    def pull(self) -> list[dict[str, Any]]:
        """Samples since the last pull as rows of gpu.jsonl: `t` on our wall clock, `host` added. [] if none."""
        with self._lock:
            if not self._tell_tag() or (self._boot is None and self._exchange("GET", "/healthz") is None):
                return []  # one wait for a sidecar that is away, not one for each request
            rows, more = self._pull_page()
            while more:
                page_rows, more = self._pull_page()
                rows += page_rows
            if self.available:
                self._tell_tag()  # the pull may have found the sidecar restarted
            return rows

    def describe(self) -> dict[str, Any]:
        """The entry of run.json's `gpu` list. `index` is None where there is no GPU or no sidecar: see `why`."""
        with self._lock:
            answer = self._exchange("GET", "/healthz")
        if answer is None:
            answer = {"why": f"no answer from the GPU sidecar at {self.url}"}
        gpu = answer.get("gpu")
        device = gpu if isinstance(gpu, dict) else {}
        return {
            "host": answer.get("host"),
            **{key: device.get(key) for key in ("index", "uuid", "name", "driver", "memory_total_mib")},
            "why": answer.get("why"),
            "clock_offset_s": self.clock_offset_s,
            "clock_uncertainty_s": self.clock_uncertainty_s,
        }

    def _tell_tag(self) -> bool:
        """False where there is a stage to tell and it could not be told."""
        if self._tag is not None and not self._tag_is_known:
            # True even if this exchange finds the sidecar restarted: it is the new one that was told.
            self._tag_is_known = self._exchange("POST", "/stage", body=self._tag) is not None
        return self._tag is None or self._tag_is_known

    def _pull_page(self) -> tuple[list[dict[str, Any]], bool]:
        """The next page's rows, and whether there is another page to fetch."""
        boot = self._boot
        page = self._exchange("GET", "/samples", after=self._after)
        if page is not None and self._boot != boot:
            page = self._exchange("GET", "/samples", after=self._after)  # restarted: from its beginning
        if page is None or self._clock is None:
            return [], False
        try:
            rows = [_as_gpu_row(sample, page["host"], self._clock) for sample in page["samples"]]
            after, dropped, more = int(page["next"]), int(page["dropped"]), bool(page["more"])
        except (KeyError, TypeError, ValueError) as error:
            self._note_failure(f"its samples can't be read ({error!r})")
            return [], False
        if dropped:
            _log.warning("GPU sidecar %s: %d samples were overwritten before they were read", self.url, dropped)
        self._after = after
        return rows, more and bool(rows)

    def _exchange(
        self, method: str, path: str, body: dict[str, Any] | None = None, after: int | None = None
    ) -> dict[str, Any] | None:
        """One request and its answer. None, and one warning until it is back, where no sidecar answered."""
        try:
            answer, estimate = self._request(method, path, body, None if after is None else {"after": after})
        except _NoAnswer as error:
            self._note_failure(str(error))
            return None
        self._note_boot(answer["boot"], answer["next"])
        if self._clock is None or estimate.round_trip_s < self._clock.round_trip_s:
            self._clock = estimate
        self._note_success()
        return answer

    def _request(
        self, method: str, path: str, body: dict[str, Any] | None, params: dict[str, int] | None
    ) -> tuple[dict[str, Any], ClockEstimate]:
        our_wall, started = time.time(), time.monotonic()
        try:
            response = self._session.request(
                method, self.url + path, json=body, params=params, timeout=self._timeout_s, allow_redirects=False
            )
            round_trip_s = time.monotonic() - started
            answer = _read_answer(response)
            wall, mono = float(answer["clock"]["wall"]), float(answer["clock"]["mono"])
            answer |= {"boot": str(answer["boot"]), "next": int(answer["next"])}
        except requests.Timeout:
            raise _NoAnswer(f"no answer within {self._timeout_s:g} s") from None
        except requests.ConnectionError:
            raise _NoAnswer("nobody answers there") from None
        except (KeyError, TypeError, requests.JSONDecodeError):
            raise _NoAnswer("what answers there is not a GPU sidecar") from None
        except (requests.RequestException, ValueError) as error:
            raise _NoAnswer(str(error)) from None
        return answer, ClockEstimate(our_wall + round_trip_s / 2, wall, mono, round_trip_s)

    def _note_boot(self, boot: str, next_seq: int) -> None:
        if boot == self._boot:
            return
        # First contact: what was sampled before is not ours. A restart: everything since is.
        self._after = next_seq if self._boot is None else 0
        self._boot, self._clock, self._tag_is_known = boot, None, False

    def _note_failure(self, why: str) -> None:
        self.available = False
        if not self._has_warned:
            _log.warning("GPU sidecar %s: %s; no GPU figures until it is back", self.url, why)
        self._has_warned = True

    def _note_success(self) -> None:
        self.available = True
        if self._has_warned:
            _log.warning("GPU sidecar %s: back", self.url)
        self._has_warned = False


def _read_answer(response: requests.Response) -> dict[str, Any]:
    if response.status_code == requests.codes.unauthorized:
        raise _NoAnswer("it wants a token, or another one")
    answer = response.json()
    if not isinstance(answer, dict):
        raise _NoAnswer("what answers there is not a GPU sidecar")
    if response.status_code != requests.codes.ok:
        raise _NoAnswer(f"it answered {response.status_code}: {answer.get('error', 'without a reason')}")
    return answer


def _as_gpu_row(sample: Mapping[str, Any], host: str, clock: ClockEstimate) -> dict[str, Any]:
    """One line of gpu.jsonl: `t` on our clock in place of the sidecar's own two."""
    measured = {key: value for key, value in sample.items() if key not in ("t", "mono")}
    return {"t": clock.to_our_wall(sample["mono"]), "host": host, **measured}
