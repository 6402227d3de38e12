"""How callers are shared among workers that go and come, by Locust's own dispatcher in a process of its own."""

from __future__ import annotations

import ast

from in_locust import run_with_locust


def test_callers_can_be_shared_again_after_they_were_shared_for_a_change_of_workers() -> None:
    """A worker that comes back then: Locust shares nothing with it while it takes itself to be sharing."""
    program = """
import locust
from locust import User
from locust.runners import WorkerNode
from stt_load.locust_plugin.cluster.dispatcher import Dispatcher
class Caller(User):
    pass
def shared():
    dispatcher.new_dispatch(6, 100)
    return [sorted(count["Caller"] for count in step.values()) for step in dispatcher], dispatcher.dispatch_in_progress
stays, goes = WorkerNode("a"), WorkerNode("b")
dispatcher = Dispatcher([stays, goes], [Caller])
seen = [shared()]
dispatcher.remove_worker(goes)
seen.append(shared())
dispatcher.add_worker(goes)
seen.append(shared())
print(seen)
"""
    assert ast.literal_eval(run_with_locust(program)) == [([[3, 3]], False), ([[6]], False), ([[3, 3]], False)]
