"""Messages that make no sense, of a worker that is heard."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from stt_load.locust_plugin.cluster.from_workers import carefully


class Sent(NamedTuple):
    """A message as Locust reads it from its socket."""

    type: Any
    data: Any


@pytest.mark.parametrize(
    "message",
    [
        Sent("heartbeat", {}),
        Sent("heartbeat", None),
        Sent("heartbeat", {"state": "running", "current_cpu_usage": None}),
        Sent("spawning_complete", None),
        Sent("spawning_complete", {"user_classes_count": {"Caller": "many"}, "user_count": 3}),
        Sent("stats", {}),
        Sent("stats", {"user_classes_count": 7}),
        Sent("logs", {}),
    ],
)
def test_a_message_that_makes_no_sense_is_left_out_and_said_once(
    message: Sent, caplog: pytest.LogCaptureFixture
) -> None:
    handled = []

    def handle(worker: str, message: Sent) -> None:
        if message.type == "logs":
            message.data["worker_id"]  # as Locust does
        handled.append(message)

    handle_message = carefully(handle)
    for _ in range(2):
        handle_message("w0", message)
    assert handled == []
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "messages of worker w0 make no sense and are left out"
    ]


@pytest.mark.parametrize(
    "message",
    [
        Sent("heartbeat", {"state": "ready", "current_cpu_usage": 0, "current_memory_usage": 5}),
        Sent("spawning_complete", {"user_classes_count": {"Caller": 3}, "user_count": 3}),
        Sent("stats", {"user_classes_count": {}, "stats": [], "stt": {}}),
        Sent("client_ready", "2.47.0"),
        Sent("quit", None),
    ],
)
def test_what_makes_sense_is_handled(message: Sent, caplog: pytest.LogCaptureFixture) -> None:
    handled = []
    carefully(lambda worker, message: handled.append((worker, message)))("w0", message)
    assert (handled, caplog.records) == ([("w0", message)], [])
