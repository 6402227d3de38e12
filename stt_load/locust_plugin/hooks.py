"""Joins master and worker to Locust: options, events, messages, signals. Locustfiles call `install` once, at import.

Each listener is one call: Locust logs and swallows what a listener raises.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from types import MappingProxyType, SimpleNamespace
from typing import Any

import gevent
import psutil
from locust import argument_parser, events, runners, stats
from locust import main as locust_main
from locust.argument_parser import LocustArgumentParser
from locust.rpc import Message
from locust.util import cache

from stt_load.clock import SteadyWallClock
from stt_load.errors import ConfigError
from stt_load.locust_plugin.arguments import adapt_parser
from stt_load.locust_plugin.cluster.admission import Admission
from stt_load.locust_plugin.cluster.dispatcher import Dispatcher
from stt_load.locust_plugin.cluster.from_workers import carefully
from stt_load.locust_plugin.cluster.messages import DRAIN, DRAINED, HELLO, RECEIVED, REFUSED, TERMS, UPDATE
from stt_load.locust_plugin.cluster.patience import use_our_patience
from stt_load.locust_plugin.cluster.set_up import set_up_cluster
from stt_load.locust_plugin.exits import end_without_memory, exit_with
from stt_load.locust_plugin.live_tab import install_tab
from stt_load.locust_plugin.master import Master
from stt_load.locust_plugin.start_form import install_form
from stt_load.locust_plugin.variables import tell_of_misspelt
from stt_load.locust_plugin.web_form import settle_host
from stt_load.locust_plugin.web_ui import add_hosts_option, guard
from stt_load.locust_plugin.worker import Worker
from stt_load.options import OPTIONS, Option, PlanKind, options_of
from stt_load.process.ending_signals import end_with_parent_after_fork, hear, hear_before_start
from stt_load.process.log import log, tell_once_of_lost_entries
from stt_load.process.standard_streams import print_in_background
from stt_load.run.loaded_clips import LoadedClips

tells_of_variables = True  # at the start of this process
_REPORT_INTERVAL_S = 1.0  # Locust's 3 s would make every grace up to 3 s longer than it needs to be


def install(defaults: Mapping[str, str] = MappingProxyType({}), plan: PlanKind = PlanKind.LADDER) -> None:
    """Called once, in the locustfile, after `import locust`. `defaults`: the file's own, by option key. `plan`: what
    decides about its stages, and with it which options there are. Without a shape somebody at the web UI decides."""
    tell_once_of_lost_entries()
    if tells_of_variables:
        tell_of_misspelt(os.environ)
    print_in_background()  # before Locust sets up its logging, which keeps the stream that it finds
    # In every process, before the first sample: Locust keeps about two digits of a response time otherwise.
    stats.bucket_response_time = _bucket_ms  # type: ignore[assignment]
    runners.WORKER_REPORT_INTERVAL = _REPORT_INTERVAL_S
    # A worker asks for it once for each option in each message about users, and Locust makes a parser each time: 0.2 s
    # of CPU in which no frame goes out, and on a busy machine no heartbeat either.
    argument_parser.default_args_dict = lru_cache(argument_parser.default_args_dict)
    use_our_patience(runners)
    _end_by_our_signals()
    _steady_locusts_time()
    runners.Runner.monitor_cpu_and_memory = _lasting(  # type: ignore[assignment, method-assign]
        runners.Runner.monitor_cpu_and_memory
    )
    admission, clips = Admission(), LoadedClips()
    command_line = _CommandLine(options_of(plan, defaults), admission, clips)
    events.init_command_line_parser.add_listener(lambda parser: command_line.extend(parser))
    events.init.add_listener(partial(_on_init, admission=admission, clips=clips, plan=plan))


class _CommandLine:
    """Locust's command line with our options. Locust makes a parser anew for each look at its web UI; the first one is
    that of the process."""

    def __init__(self, options: Sequence[Option], admission: Admission, clips: LoadedClips) -> None:
        self._options = options
        self._admission = admission
        self._clips = clips
        self._is_set_up = False

    def extend(self, parser: LocustArgumentParser) -> None:
        add_options(parser, self._options)
        adapt_parser(parser)
        parse_args = parser.parse_args
        parser.parse_args = lambda *arguments, **more: self._set_up(parse_args(*arguments, **more))

    def _set_up(self, options: Any) -> Any:
        if self._is_set_up:
            return options
        self._is_set_up = True
        try:
            settle_host(options)
            set_up_cluster(options, self._admission, self._clips)
        except ConfigError as error:
            exit_with(error.lines)
        return options


def _steady_locusts_time() -> None:
    """Gives Locust a wall clock that nobody can set. It tells by it how long a master has been silent, which of two
    spawn messages is newer, and how old its statistics are: workers would leave, or take no more users."""
    steady = SteadyWallClock.read(time.time, time.monotonic)
    its_time = SimpleNamespace(**{**vars(time), "time": lambda: steady.at(time.monotonic())})
    for module in (runners, stats):
        module.time = its_time  # type: ignore[attr-defined]
    cache.time = its_time.time  # type: ignore[attr-defined]


def _lasting(monitor: Callable[[Any], None]) -> Callable[[Any], None]:
    """Locust's monitor of CPU and memory, which goes on after a look that failed. Its own greenlet ends with the first:
    /proc can't be read while no file descriptor is left."""

    def monitor_cpu_and_memory(runner: Any) -> None:
        while True:
            try:
                monitor(runner)
            except (OSError, MemoryError, psutil.Error) as error:
                log.debug("CPU and memory can't be read: %s", error)
            gevent.sleep(runners.CPU_MONITOR_INTERVAL)

    return monitor_cpu_and_memory


def add_options(parser: LocustArgumentParser, options: Sequence[Option] = OPTIONS) -> None:
    """Puts these options of ours on Locust's command line and into its web UI, under the same names."""
    for option in options:
        if option.is_secret:  # Locust sends options to workers and shows them: each process has it by environment
            continue
        kind: dict[str, Any] = {"metavar": option.metavar, "default": option.default or ""}
        if option.is_flag:
            kind = {"action": "store_true", "default": False}
        elif option.is_multiple:
            kind = {"metavar": option.metavar, "action": "append", "default": []}
        parser.add_argument(
            f"--{option.name}",
            env_var=option.env_var,
            help=option.help_with_default.replace("%", "%%"),
            include_in_web_ui=option.in_web_ui,
            **kind,
        )
    add_hosts_option(parser)


def _bucket_ms(response_time_ms: float) -> int:
    return round(response_time_ms)


class _GeventWithoutSignals:
    """Gevent for Locust's `main`, which would put a handler of SIGTERM over ours once it has started. It leaves while
    rows are still on their way."""

    def signal_handler(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(gevent, name)


def _end_by_our_signals() -> None:
    hear_before_start()
    vars(locust_main)["gevent"] = _GeventWithoutSignals()
    end_with_parent_after_fork()  # the workers of --processes: they would look for a master for five minutes


def _on_init(
    environment: Any, runner: Any, web_ui: Any, admission: Admission, clips: LoadedClips, plan: PlanKind, **_: Any
) -> None:
    end_without_memory()
    is_worker = isinstance(runner, runners.WorkerRunner)
    role = _join_worker(environment, clips) if is_worker else _join_master(environment, admission, clips, plan)
    environment.stt_role = role
    # In a greenlet: a handler of signals comes between two instructions of any greenlet, and may not wait.
    hear(partial(gevent.spawn, role.on_signal))
    role.on_init()


def _join_master(environment: Any, admission: Admission, clips: LoadedClips, plan: PlanKind) -> Master:
    environment.dispatcher_class = Dispatcher
    master = Master(environment, admission, clips, plan)
    if environment.web_ui is not None:
        guard(environment)
        install_form(environment)
        install_tab(environment)
    listen = environment.events
    listen.test_start.add_listener(lambda **_: master.on_test_start())
    listen.test_stopping.add_listener(lambda **_: master.on_test_stopping())
    listen.test_stop.add_listener(lambda **_: master.on_test_stop())
    listen.quitting.add_listener(lambda **_: master.on_quitting())
    listen.worker_report.add_listener(lambda client_id, data, **_: master.on_worker_report(client_id, data))
    runner = environment.runner
    admission.on_refused = partial(_drop, runner)
    if isinstance(runner, runners.MasterRunner):
        runner.handle_message = carefully(runner.handle_message)  # type: ignore[assignment, method-assign]
    runner.register_message(HELLO, lambda msg, **_: master.on_hello(msg.node_id, **msg.data))
    runner.register_message(DRAINED, lambda msg, **_: master.on_drained(msg.node_id, msg.data))
    if environment.parsed_options.live:
        # Our own panel and table say more than Locust's, which would tear it apart.
        logging.getLogger("locust.stats_logger").setLevel(logging.WARNING)
    return master


def _drop(runner: Any, worker: str) -> None:
    """Makes Locust forget a worker that was refused after it had joined, as one that has stopped."""
    if worker in runner.clients:
        runner.handle_message(worker, Message("client_stopped", None, worker))


def _join_worker(environment: Any, clips: LoadedClips) -> Worker:
    worker = Worker(environment, clips)
    environment.events.report_to_master.add_listener(lambda data, **_: worker.on_report(data))
    environment.events.heartbeat_received.add_listener(lambda **_: worker.on_heartbeat())
    runner = environment.runner
    runner.register_message(UPDATE, lambda msg, **_: worker.on_update(**msg.data))
    runner.register_message(TERMS, lambda msg, **_: worker.on_terms(**msg.data), concurrent=True)
    runner.register_message(REFUSED, lambda msg, **_: worker.on_refused(**msg.data))
    runner.register_message(RECEIVED, lambda **_: worker.on_received())
    runner.register_message(DRAIN, lambda msg, **_: worker.on_drain(**msg.data), concurrent=True)
    return worker
