"""The little of Locust that master and worker touch, so that they can be tested without it: importing Locust patches
the process."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import gevent

from stt_load.locust_plugin.cluster.admission import Admission
from stt_load.locust_plugin.cluster.joining import find_equipment
from stt_load.locust_plugin.cluster.messages import TERMS
from stt_load.run.loaded_clips import LoadedClips
from stt_load.run.terms import this_program


class MadeRunner:
    """A runner of one process, or of a worker: notes what it is told."""

    client_id = "w0"
    worker_index = 0

    def __init__(self) -> None:
        self.client = Namespace(connection=1)
        self.user_count = 0
        self.target_user_count: int | None = None
        self.sent: list[tuple[Any, ...]] = []
        self.calls: list[str] = []

    def send_message(self, name: str, data: Any = None, client_id: str | None = None) -> None:
        self.sent.append((name, data) if client_id is None else (name, data, client_id))

    def stop(self) -> None:
        self.calls.append("stop")

    def quit(self) -> None:
        self.calls.append("quit")


class MadeMasterRunner(MadeRunner):
    """A master's: `workers` maps client ids to their states, in an order other than that of their indexes."""

    def __init__(self, **workers: str) -> None:
        super().__init__()
        self.states = workers
        self.shape_last_tick: tuple[int, float] | None = None
        self.admission = Admission(this_program())

    def send_message(self, name: str, data: Any = None, client_id: str | None = None) -> None:
        """A worker that is asked what it has answers as one on this machine does."""
        super().send_message(name, data, client_id)
        if name == TERMS:
            assert client_id is not None
            self.admission.answer(client_id, *find_equipment(data["options"], LoadedClips()))

    @property
    def clients(self) -> Namespace:
        return Namespace(all=[Namespace(id=name, state=state) for name, state in self.states.items()])

    def get_worker_index(self, client_id: str) -> int:
        return int(client_id.removeprefix("w"))


class MadeUser:
    """A user class: one task, without tags."""

    tasks = (len,)
    weight = 1
    fixed_count = 0


class MadeWebUi:
    def __init__(self) -> None:
        self.is_stopped = False

    def stop(self) -> None:
        self.is_stopped = True


def made_environment(
    runner: MadeRunner,
    web_ui: MadeWebUi | None = None,
    has_shape: bool = True,
    user_classes: Sequence[Any] = (MadeUser,),
    **options: Any,
) -> Any:
    """What Locust hands to a listener. `options`: by option key, as on a command line."""
    return Namespace(
        runner=runner,
        web_ui=web_ui,
        shape_class=object(),
        user_classes=user_classes,
        parsed_options=Namespace(web_host="127.0.0.1", web_port=0, autostart=False, **options),
        process_exit_code=None,
    )


def settle() -> None:
    """Lets every greenlet go on until it waits for something."""
    for _ in range(20):
        gevent.sleep(0)


def names(sent: Sequence[tuple[Any, ...]]) -> list[str]:
    return [message[0] for message in sent]
