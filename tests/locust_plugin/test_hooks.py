"""How we join Locust, seen in processes of their own: importing Locust patches the process."""

from __future__ import annotations

import ast

import pytest
from in_locust import run_with_locust


@pytest.mark.parametrize("milliseconds", [105, 999.6, 1050.4, 10_500, 45_678.2])
def test_locusts_own_tables_are_exact_to_a_millisecond(milliseconds: float) -> None:
    program = f"""
import locust
from stt_load.locust_plugin.hooks import install
install()
entry = locust.stats.RequestStats().get("EOS", "STT")
entry.log({milliseconds}, 0)
print(entry.get_response_time_percentile(0.5))
"""
    assert float(run_with_locust(program)) == pytest.approx(milliseconds, abs=0.5)


def test_locust_still_reads_what_we_set_of_its_patience_and_of_its_shape() -> None:
    program = """
from locust.runners import MasterRunner, Runner, WorkerRunner
for function, name in (
    (MasterRunner.handle_message, "HEARTBEAT_LIVENESS"),
    (MasterRunner.heartbeat_worker, "HEARTBEAT_DEAD_INTERNAL"),
    (WorkerRunner.heartbeat_timeout_checker, "MASTER_HEARTBEAT_TIMEOUT"),
    (Runner.shape_worker, "shape_last_tick"),
):
    print(name in function.__code__.co_names)
"""
    assert run_with_locust(program).split() == ["True"] * 4


def test_an_utterance_is_one_request_named_by_its_stage_and_a_failed_one_has_no_response_time() -> None:
    program = """
import locust, math
from locust.env import Environment
from stt_load.locust_plugin.local_pool import RequestNames, fire_request
from stt_load.records import UtteranceRecord
environment = Environment(user_classes=[])
seen = []
environment.events.request.add_listener(lambda **event: seen.append(event))
names = RequestNames(at_most=3)
for phase, outcome, latency_s in (("ramp", "ok", 0.25), ("hold", "ok", -0.01), ("hold", "timed_out", None)):
    record = UtteranceRecord("run", 0, 0, 0, phase, 10, "clip", "text", outcome=outcome)
    record.eos_latency_s = latency_s
    fire_request(environment, names, record)
for users in (2, 3, 2):
    record = UtteranceRecord("run", 0, 0, 0, "hold", users, "clip", "text", kind="upload", outcome="ok", total_s=0.5)
    fire_request(environment, names, record)
print([(e["request_type"], e["name"], e["response_time"], str(e["exception"])) for e in seen])
"""
    assert ast.literal_eval(run_with_locust(program)) == [
        ("STT", "EOS @ 10 ramp", 250.0, "None"),
        ("STT", "EOS @ 10", 0.0, "None"),
        ("STT", "EOS @ 10", None, "timed_out"),
        ("STT", "UPLOAD @ 2", 500.0, "None"),
        ("STT", "UPLOAD @ other", 500.0, "None"),
        ("STT", "UPLOAD @ 2", 500.0, "None"),
    ]


def test_no_moment_that_locust_compares_moves_when_the_wall_clock_is_set() -> None:
    """Heartbeats and spawn messages of its runners, its statistics, and what its web UI keeps for two seconds."""
    program = """
import locust, time
from stt_load.locust_plugin.hooks import install
install()
asked = [locust.runners.time.time, locust.stats.time.time, locust.util.cache.time]
before = [ask() for ask in asked]
true = time.time
print(all(abs(each - true()) < 60 for each in before))
for step_s in (3600, -3600, 30, -30):
    time.time = lambda: true() + step_s
    print(all(0 <= ask() - each < 25 for ask, each in zip(asked, before)))
print(locust.runners.time.monotonic is time.monotonic)
"""
    assert run_with_locust(program).split() == ["True"] * 6


def test_a_worker_makes_no_parser_for_each_option_of_each_message_about_users() -> None:
    program = """
import locust
from locust import argument_parser
from stt_load.locust_plugin.hooks import install
install()
made = []
setup = argument_parser.setup_parser_arguments
argument_parser.setup_parser_arguments = lambda parser: (made.append(parser), setup(parser))
names = [name for _ in range(3) for name in argument_parser.default_args_dict()]
print(len(made), len(names) > 100)
"""
    assert run_with_locust(program).split() == ["1", "True"]


def test_no_secret_is_an_option_of_locust() -> None:
    """It would send them to workers, and show them in its web UI."""
    program = """
import locust
from locust.argument_parser import get_empty_argument_parser
from stt_load.options import OPTIONS
from stt_load.locust_plugin.hooks import add_options
parser = get_empty_argument_parser()
add_options(parser)
known = {action.dest for action in parser._actions}
print([option.name for option in OPTIONS if option.is_secret])
print([option.name for option in OPTIONS if option.key not in known])
"""
    assert run_with_locust(program).split() == ["['header']", "['header']"]


def test_every_option_is_on_locusts_command_line_with_the_same_default() -> None:
    program = """
import locust
from locust.argument_parser import get_empty_argument_parser
from stt_load.config import parse_options
from stt_load.options import OPTIONS
from stt_load.locust_plugin.hooks import add_options
parser = get_empty_argument_parser()
add_options(parser)
assert parse_options(vars(parser.parse_args([]))) == parse_options({})
given = parser.parse_args(["--slo", "wer<8%", "--slo", "error_rate<1%", "--verbose", "--hold", "3s"])
config = parse_options(vars(given))
print([slo.text for slo in config.slos], config.verbose, config.hold_s)
"""
    assert run_with_locust(program).strip() == "['wer<8%', 'error_rate<1%'] True 3.0"


def test_a_locustfile_may_have_its_own_defaults_and_the_environment_still_decides() -> None:
    program = """
import locust, os
from locust.argument_parser import get_empty_argument_parser
from stt_load.config import parse_options
from stt_load.locust_plugin.hooks import add_options
from stt_load.options import PlanKind, options_of
def kind():
    parser = get_empty_argument_parser()
    add_options(parser, options_of(PlanKind.LADDER, {"dialect": "upload-openai"}))
    return parse_options(vars(parser.parse_args([]))).kind.name
print(kind())
os.environ["STT_LOAD_DIALECT"] = "parakeet"
print(kind())
"""
    assert run_with_locust(program).split() == ["upload", "stream"]
