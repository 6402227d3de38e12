"""Our form in Locust's own web UI, in a process of its own: importing Locust patches the process."""

from __future__ import annotations

import ast

from in_locust import run_with_locust


def test_a_form_starts_a_run_or_says_what_is_wrong_and_a_run_that_is_prepared_looks_started() -> None:
    program = """
import locust, socket, sys, tempfile
from types import SimpleNamespace
from locust.argument_parser import parse_options
from locust.env import Environment
from stt_load.locust_plugin import hooks, start_form
sys.argv[1:] = ["--results", tempfile.mkdtemp()]
hooks.install({"hold": "7s"})
environment = Environment(user_classes=[], parsed_options=parse_options())
environment.create_local_runner()
environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
environment.stt_role = role = SimpleNamespace(run=None, is_started=False, why_refused=("--clips: none",))
listening = socket.create_server(("127.0.0.1", 0))
server = f"ws://127.0.0.1:{listening.getsockname()[1]}/ws"
start_form.install_form(environment)
page = environment.web_ui.app.test_client()
text = page.get("/").text
places = [text.index(f'"flag": "--{name}"') for name in ("dialect", "hold", "slo", "label")]
print((places == sorted(places), '"is_host_required": true' in text))
print(("refused", *page.get("/stats/requests").json["refused"]))
def swarm(**form):
    said = page.post("/swarm", data={"user_count": 1, "spawn_rate": 1, **form}).json
    state = page.get("/stats/requests").json["state"]
    return said["success"], [problem["field"] for problem in said.get("problems", ())], state, role.is_started
print(swarm(results="/tmp"))
print(swarm())
print(swarm(host=server, hold="soon", slo="werr<1%"))
print(swarm(host="ws://127.0.0.1:1/ws"))
environment.runner.start = lambda *a, **b: None  # it prepares the run for a long time
locust.util.cache.time = lambda: 1e12
print(swarm(host=server, hold="8s", slo="wer<9%, error_rate<1%", user_count="x"))
print(swarm(host=server, hold="8s", slo="wer<9%, error_rate<1%", verbose="true"))
print(role.why_refused)
options = environment.parsed_options
print({options.stt_url, options.host, environment.host} == {server})
print((options.hold, options.slo, options.verbose))
role.run = object()
print((swarm(hold="8s"), swarm(hold="9s")[:2]))
"""
    lines = [ast.literal_eval(line) for line in run_with_locust(program).splitlines() if line[:1] in "(T"]
    assert lines == [
        (True, True),
        ("refused", {"field": "clips", "text": "--clips: none"}),
        (False, ["results"], "ready", False),
        (False, ["host"], "ready", False),
        (False, ["hold", "slo"], "ready", False),
        (False, ["host"], "ready", False),
        (False, [], "ready", False),
        (True, [], "spawning", True),
        (),
        True,
        ("8s", ["wer<9%", "error_rate<1%"], True),
        ((True, [], "spawning", True), (False, ["hold"])),
    ]
