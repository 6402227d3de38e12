"""Our user and our shape in Locust's own hands, in processes of their own: importing Locust patches the process."""

from __future__ import annotations

from in_locust import run_with_locust


def test_a_user_is_a_caller_that_takes_one_turn_after_the_other() -> None:
    program = """
import locust, gevent
from locust.env import Environment
from stt_load.locust_plugin.user import CallerUser

class Pool:
    n_callers = 0
    turns = []
    def new_caller(self):
        self.n_callers += 1
        return f"caller {self.n_callers}"
    def take_turn(self, caller):
        self.turns.append(caller)
        gevent.sleep(0.01)

class Role:
    pool = Pool()
    def ready_pool(self):
        return self.pool

class Caller(CallerUser):
    pass

environment = Environment(user_classes=[Caller])
environment.stt_role = Role()
runner = environment.create_local_runner()
runner.start(2, spawn_rate=2)
with gevent.Timeout(50):
    while min(map(Pool.turns.count, ("caller 1", "caller 2"))) < 3:
        gevent.sleep(0.01)
runner.quit()
print(Role.pool.n_callers, sorted(set(Pool.turns)))
"""
    assert run_with_locust(program).strip() == "2 ['caller 1', 'caller 2']"


def test_a_caller_that_fails_is_told_once_and_waits_before_it_tries_again() -> None:
    """Locust would print a traceback thousands of times a second."""
    program = """
import locust, gevent, logging, sys
from locust.env import Environment
from stt_load.locust_plugin import user
from stt_load.locust_plugin.user import CallerUser

class Pool:
    turns = 0
    def new_caller(self):
        return "caller"
    def take_turn(self, caller):
        Pool.turns += 1
        raise RuntimeError("out of coffee")

class Role:
    def ready_pool(self):
        return Pool()

class Caller(CallerUser):
    pass

user.PAUSE_AFTER_FAILURE_S = 0.05
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
environment = Environment(user_classes=[Caller])
environment.stt_role = Role()
runner = environment.create_local_runner()
runner.start(2, spawn_rate=2)
with gevent.Timeout(50):
    while Pool.turns < 6:
        gevent.sleep(0.01)
runner.quit()
"""
    output = run_with_locust(program)
    assert output.count("out of coffee") == 1, output
    assert "Traceback" not in output


def test_a_user_of_a_run_that_could_not_start_leaves_with_the_reason() -> None:
    program = """
import locust, gevent, logging, sys
from locust.env import Environment
from stt_load.errors import ConfigError
from stt_load.locust_plugin.user import CallerUser

class Role:
    n_asked = 0
    def ready_pool(self):
        Role.n_asked += 1
        raise ConfigError("the run could not start")

class Caller(CallerUser):
    pass

logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
environment = Environment(user_classes=[Caller])
environment.stt_role = Role()
runner = environment.create_local_runner()
runner.start(1, spawn_rate=1)
with gevent.Timeout(50):
    while not Role.n_asked or runner.user_count:
        gevent.sleep(0.01)
print("left", Role.n_asked, runner.errors)
runner.quit()
"""
    output = run_with_locust(program)
    assert "ERROR the run could not start" in output
    assert "left 1 {}" in output
    assert "Traceback" not in output


def test_the_shape_asks_the_run_until_it_is_over() -> None:
    program = """
import locust, gevent
from argparse import Namespace
from locust import User, task
from locust.env import Environment
from stt_load.locust_plugin.shape import LadderShape

class Ladder(LadderShape):
    pass

class Idle(User):
    @task
    def wait(self):
        gevent.sleep(0.01)

class Role:
    answers = [(2, 50.0), (1, 50.0), None]
    def tick(self):
        return self.answers.pop(0)

environment = Environment(user_classes=[Idle], shape_class=Ladder())
environment.parsed_options = Namespace(headless=False)
environment.stt_role = Role()
targets = []
environment.events.spawning_complete.add_listener(lambda user_count, **_: targets.append(user_count))
runner = environment.create_local_runner()
runner.start_shape()
with gevent.Timeout(50):
    while runner.state != "stopped":
        gevent.sleep(0.05)
print(targets, Role.answers)
"""
    assert run_with_locust(program).strip() == "[2, 1] []"
