"""The house: who imports whom, which test tests what, and how long a file may grow.

Core is values in, values out: the same logic runs under a fake clock and under one loop for thousands of callers. A
module that is not named in a list of exceptions here is held to the rule, so a new one is too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
PACKAGES = ("stt_load", "gpu_sidecar")
LINES_AT_MOST = 300

# Everything that waits, talks or patches: what core modules import none of.
WORLD = {
    *("gevent", "locust", "psutil", "signal", "subprocess", "multiprocessing", "concurrent", "threading", "asyncio"),
    *("socket", "ssl", "select", "selectors", "http", "requests", "urllib3", "websocket", "websockets"),
    *("starlette", "uvicorn"),
}
# But for what only counts, in packages that talk.
HARMLESS = {f"websockets.{module}{name}" for module in ("speedups", "utils") for name in ("", ".apply_mask")}
# And what they ask nobody for.
WORLD_CALLS = frozenset(
    {
        ("time", "sleep"),
        ("time", "time"),
        ("time", "monotonic"),
        ("time", "perf_counter"),
        ("os", "environ"),
        ("os", "getenv"),
        ("datetime", "now"),
        ("datetime", "utcnow"),
    }
)

# Shells: the modules that join the core to the world, each with what it touches.
SHELLS = {
    "stt_load/clips/espeak.py": "loads espeak's library, one speech at a time",
    "stt_load/clips/library.py": "the user's cache folder, which the environment may move",
    "stt_load/clips/tts_server.py": "HTTP to a TTS server, with retries",
    "stt_load/calibration/climb.py": "starts sinks, and says when it was",
    "stt_load/calibration/installation.py": "packages, the driver's tool, a folder to write to",
    "stt_load/calibration/host_probe.py": "looks at this machine",
    "stt_load/calibration/store.py": "the user's data folder, which the environment may move",
    "stt_load/calibration/trial.py": "a run in a process of its own",
    "stt_load/cli/": "the command line",
    "stt_load/run/controller.py": "leads a run through Locust's runner",
    "stt_load/run/gpu_feed.py": "pulls samples, a greenlet for each sidecar",
    "stt_load/locust_plugin/hooks.py": "Locust's events and signals",
    "stt_load/run/live_view.py": "draws the panel as time passes",
    "stt_load/locust_plugin/master.py": "the master's part in Locust's life",
    "stt_load/workloads/run_clips.py": "keys from the environment, progress on the terminal",
    "stt_load/run/own_rows.py": "waits between two pieces",
    "stt_load/pacing/greenlet_driver.py": "the pacing loop beside Locust's",
    "stt_load/run/preflight.py": "tries sockets and folders before a run",
    "stt_load/run/provenance.py": "looks at this machine",
    "stt_load/locust_plugin/shape.py": "Locust's load shape",
    "stt_load/run/caller_pool.py": "greenlets of callers",
    "stt_load/workloads/stream.py": "callers on websockets, with the real clock",
    "stt_load/workloads/tts.py": "listeners' requests",
    "stt_load/workloads/upload.py": "callers' requests",
    "stt_load/locust_plugin/user.py": "Locust's user",
    "stt_load/locust_plugin/messages.py": "makes stations with the key from the environment",
    "stt_load/locust_plugin/worker.py": "the worker's part in Locust's life",
    "stt_load/server/arrival.py": "the kernel's receive stamps",
    "stt_load/server/connection.py": "sockets of the embedded servers",
    "stt_load/server/decoder.py": "a process that decodes",
    "stt_load/server/embedded.py": "serves the recogniser",
    "stt_load/server/frontend.py": "accepts callers, catches signals",
    "stt_load/server/listener.py": "opens listening sockets",
    "stt_load/server/loop.py": "epoll, timers and signals",
    "stt_load/server/pool.py": "decoder processes",
    "stt_load/server/posts.py": "reads and answers POST",
    "stt_load/server/process.py": "starts and ends servers",
    "stt_load/server/embedded_server.py": "callers on asyncio's loop, and their timers",
    "stt_load/server/scripted.py": "serves the script",
    "stt_load/server/sink.py": "answers thousands of callers on time",
    "stt_load/server/stand_in.py": "serves a text",
    "stt_load/server/tts.py": "speaks in its event loop, and blocks it",
    "stt_load/server/uploads.py": "one TingWu upload after the other",
    "stt_load/server/truth.py": "a log with the time on it",
    "stt_load/sidecar/local.py": "a sidecar in a process of its own",
    "stt_load/sidecar/client.py": "HTTP to sidecars",
    "stt_load/pacing/inline_driver.py": "polls sockets, for one caller",
    "stt_load/net/tcp.py": "opens connections",
    "stt_load/net/resolver.py": "looks names up",
    "stt_load/net/nonblocking_socket.py": "a socket that nobody waits for",
    "stt_load/net/http.py": "HTTP POST with receive stamps",
    "stt_load/net/stamped_socket.py": "a socket with receive stamps",
    "stt_load/net/websocket.py": "a websocket",
    "stt_load/tts_benchmark/gpu_watch.py": "asks sidecars and waits for their samples",
    "stt_load/workloads/tts_http.py": "HTTP to TTS servers under test",
    "stt_load/tts_benchmark/measuring.py": "one request after the other",
    "stt_load/workloads/upload_http.py": "HTTP to upload APIs",
}

# Files that are longer than LINES_AT_MOST, and why they are one noun all the same.
LONG: dict[str, str] = {}

# Which tests look after a source file whose name no test file bears. Told by hand, so that somebody has thought of it.
TESTED_BY = {
    "stt_load/clock.py": ("tests/fakes.py",),  # a protocol; the fake is held to it by mypy
    "stt_load/options.py": ("tests/test_config.py",),
    "stt_load/errors.py": ("tests/session/test_session.py",),  # values; the tables that use them are tested
    "stt_load/audio/clip.py": ("tests/audio/test_framing.py", "tests/audio/test_manifest.py"),
    "stt_load/calibration/machine.py": ("tests/calibration/test_host_probe.py",),  # values
    "stt_load/calibration/reasons.py": ("tests/calibration/test_limits.py",),
    "stt_load/calibration/trial.py": ("tests/calibration/test_climb.py",),
    "stt_load/cli/demo.py": ("tests/integration/test_commands.py",),
    "stt_load/cli/dialects.py": ("tests/dialects/test_conformance.py",),
    "stt_load/cli/probe.py": ("tests/integration/test_commands.py",),
    "stt_load/cli/run.py": ("tests/integration/test_runs.py",),
    "stt_load/cli/serve.py": ("tests/server/test_server_process.py",),
    "stt_load/dialects/base.py": ("tests/dialects/test_conformance.py",),
    "stt_load/dialects/events.py": ("tests/dialects/test_conformance.py",),
    "stt_load/dialects/registry.py": ("tests/dialects/test_conformance.py",),
    "stt_load/dialects/options.py": ("tests/dialects/test_conformance.py",),
    "stt_load/dialects/wire.py": ("tests/dialects/test_conformance.py", "tests/dialects/test_stand_ins.py"),
    "stt_load/run/controller.py": ("tests/integration/test_runs.py", "tests/integration/test_endings.py"),
    "stt_load/workloads/workload.py": ("tests/integration/test_runs.py",),  # a protocol
    "stt_load/locust_plugin/master.py": ("tests/integration/test_runs.py", "tests/integration/test_endings.py"),
    "stt_load/run/worker_report.py": ("tests/run/test_ledger.py",),
    "stt_load/run/own_rows.py": ("tests/integration/test_runs.py",),
    "stt_load/run/preflight.py": ("tests/cli/test_bad_input.py", "tests/run/test_overload.py"),
    "stt_load/locust_plugin/shape.py": ("tests/integration/test_runs.py",),
    "stt_load/run/stage_update.py": ("tests/run/test_ledger.py",),
    "stt_load/run/caller_pool.py": ("tests/integration/test_runs.py",),
    "stt_load/workloads/stream.py": ("tests/integration/test_runs.py",),
    "stt_load/locust_plugin/user.py": ("tests/integration/test_runs.py",),
    "stt_load/locust_plugin/messages.py": ("tests/integration/test_runs.py",),
    "stt_load/locust_plugin/worker.py": ("tests/integration/test_runs.py", "tests/integration/test_endings.py"),
    "stt_load/report/close.py": ("tests/integration/test_runs.py",),
    "stt_load/report/console.py": ("tests/report/test_writers.py",),
    "stt_load/report/csv_file.py": ("tests/report/test_writers.py",),
    "stt_load/report/device.py": ("tests/report/test_hold.py", "tests/report/test_resources.py"),  # values
    "stt_load/report/html.py": ("tests/report/test_writers.py",),
    "stt_load/report/json_file.py": ("tests/report/test_writers.py",),
    "stt_load/report/junit_file.py": ("tests/report/test_writers.py",),
    "stt_load/report/model.py": ("tests/report/test_build.py",),
    "stt_load/report/plots.py": ("tests/report/test_writers.py",),
    "stt_load/report/raw_lines.py": ("tests/report/test_report_folder.py",),
    "stt_load/report/tally.py": ("tests/report/test_build.py", "tests/report/test_late_scores.py"),
    "stt_load/report/table.py": ("tests/report/test_writers.py",),
    "stt_load/report/wording.py": ("tests/report/test_writers.py",),
    "stt_load/server/arrival.py": ("tests/server/test_scripted.py", "tests/server/test_sink.py"),
    "stt_load/server/connection.py": ("tests/server/test_scripted.py", "tests/server/test_embedded.py"),
    "stt_load/server/decoder.py": ("tests/server/test_embedded.py",),
    "stt_load/server/frontend.py": ("tests/server/test_server_process.py",),
    "stt_load/server/listener.py": ("tests/server/test_server_process.py",),
    "stt_load/server/loop.py": ("tests/server/test_sink.py",),
    "stt_load/server/pool.py": ("tests/server/test_embedded.py",),
    "stt_load/server/embedded_server.py": ("tests/dialects/test_stand_ins.py", "tests/dialects/test_kyutai.py"),
    "stt_load/server/sink_truth.py": ("tests/server/test_sink.py",),
    "stt_load/server/stand_in.py": ("tests/dialects/test_stand_ins.py",),
    "stt_load/server/server_dialect.py": ("tests/dialects/test_stand_ins.py",),  # a contract and values
    "stt_load/server/dialects/registry.py": ("tests/dialects/test_stand_ins.py",),
    "stt_load/server/truth.py": ("tests/server/test_scripted.py",),
    "stt_load/server/posts.py": ("tests/workloads/test_upload_http.py",),
    "stt_load/uploads/exchange.py": ("tests/workloads/test_upload_http.py",),
    "stt_load/workloads/upload.py": ("tests/integration/test_upload_runs.py",),
    "stt_load/server/tts_requests.py": ("tests/server/test_tts.py",),
    "stt_load/server/tts_voice.py": ("tests/server/test_tts.py",),
    "stt_load/tts_benchmark/table.py": ("tests/tts_benchmark/test_results.py",),
    "stt_load/server/upload_answers.py": ("tests/server/test_uploads.py",),
    "stt_load/session/actions.py": ("tests/session/test_session.py",),  # values
    "stt_load/session/error_text.py": ("tests/session/test_session.py",),
    "stt_load/session/encoded_clip.py": ("tests/session/test_session.py", "tests/workloads/test_run_clips.py"),
    "stt_load/net/tcp.py": ("tests/net/test_websocket.py",),
    "stt_load/session/sse.py": ("tests/uploads/test_event_reader.py", "tests/tts/test_audio_events.py"),
    "stt_load/session/http_status.py": ("tests/tts/test_answer.py",),
    "stt_load/net/http.py": ("tests/workloads/test_upload_http.py", "tests/workloads/test_tts_http.py"),
    "stt_load/pacing/in_flight.py": ("tests/pacing/test_pacer.py",),
    "stt_load/pacing/inline_driver.py": ("tests/pacing/test_pacer.py", "tests/net/test_websocket.py"),
    "stt_load/pacing/greenlet_driver.py": ("tests/net/test_websocket.py", "tests/integration/test_runs.py"),
    "stt_load/net/resolver.py": ("tests/net/test_websocket.py",),
    "stt_load/net/nonblocking_socket.py": ("tests/net/test_websocket.py", "tests/pacing/test_pacer.py"),
    "stt_load/net/stamped_socket.py": ("tests/net/test_websocket.py",),
    "stt_load/session/transcript.py": ("tests/session/test_session.py",),
    "stt_load/net/transport.py": ("tests/net/test_websocket.py",),
    "gpu_sidecar/metrics.py": ("tests/gpu_sidecar/test_dmon.py", "tests/gpu_sidecar/test_query.py"),
    "gpu_sidecar/sample.py": ("tests/gpu_sidecar/test_dmon.py",),  # values
    "gpu_sidecar/sources/base.py": ("tests/gpu_sidecar/test_tail.py",),  # a protocol and values
    "gpu_sidecar/sources/dmon.py": ("tests/gpu_sidecar/test_dmon.py",),
    "gpu_sidecar/sources/line_buffer.py": ("tests/gpu_sidecar/test_tail.py",),
    "gpu_sidecar/sources/query.py": ("tests/gpu_sidecar/test_query.py",),
    "gpu_sidecar/sources/question.py": ("tests/gpu_sidecar/test_tail.py",),
    "gpu_sidecar/sources/registry.py": ("tests/gpu_sidecar/test_tail.py",),
    "gpu_sidecar/sources/row_shape.py": ("tests/gpu_sidecar/test_dmon.py", "tests/gpu_sidecar/test_query.py"),
    "gpu_sidecar/sources/tail.py": ("tests/gpu_sidecar/test_tail.py",),
    "gpu_sidecar/nvidia_smi.py": ("tests/gpu_sidecar/test_watch.py",),
    "gpu_sidecar/proc.py": ("tests/gpu_sidecar/test_processes.py",),
    "gpu_sidecar/sources/replay.py": ("tests/gpu_sidecar/test_replay.py",),
    "gpu_sidecar/sources/host.py": ("tests/gpu_sidecar/test_host.py",),
}


def names_of(folder: str) -> list[str]:
    """Paths of source files, relative to the checkout."""
    return sorted(str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / folder).rglob("*.py"))


SOURCES = [name for package in PACKAGES for name in names_of(package)]
LOAD_SIDE = [name for name in SOURCES if name.startswith("stt_load/")]
SIDECAR = [name for name in SOURCES if name.startswith("gpu_sidecar/")]


def is_shell(name: str) -> bool:
    return any(name == shell or (shell.endswith("/") and name.startswith(shell)) for shell in SHELLS)


CORE = [name for name in LOAD_SIDE if not is_shell(name)]


def tree_of(name: str) -> ast.Module:
    return ast.parse((CHECKOUT / name).read_text(encoding="utf-8"))


def imports_of(name: str) -> set[str]:
    """Modules imported anywhere in the file, inside functions too, with their dots."""
    found = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def tops(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def asks_of(name: str) -> set[tuple[str, str]]:
    """`module.attribute` pairs of WORLD_CALLS that the file mentions."""
    found = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add((node.value.id, node.attr))
        elif isinstance(node, ast.ImportFrom):
            found |= {(str(node.module), alias.name) for alias in node.names}
    return found & WORLD_CALLS


@pytest.mark.parametrize("name", CORE)
def test_a_core_module_neither_talks_nor_waits_nor_asks_the_time(name: str) -> None:
    imported = imports_of(name)
    assert not tops(imported - HARMLESS) & WORLD
    assert "urllib.request" not in imported
    assert not asks_of(name)


@pytest.mark.parametrize(
    "name", [name for name in CORE if not name.startswith(("stt_load/report/", "stt_load/server/"))]
)
def test_a_core_module_imports_no_shell(name: str) -> None:
    """Through a shell everything that it imports would come in."""
    modules = {shell.removesuffix("/").removesuffix(".py").replace("/", ".") for shell in SHELLS}
    assert not imports_of(name) & modules


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_is_there_and_needs_to_be_one(name: str) -> None:
    assert (CHECKOUT / name).exists()
    if name.endswith(".py"):
        inner = {shell.removesuffix(".py").replace("/", ".") for shell in SHELLS}
        touches = tops(imports_of(name)) & WORLD or asks_of(name) or imports_of(name) & inner
        assert touches, "it touches nothing: take it off the list"


# The floors of the house: what a package may import of its own project, besides itself.
MAY_IMPORT = {
    "stt_load/errors.py": set(),
    "stt_load/clock.py": set(),
    "stt_load/records.py": {"errors"},
    "stt_load/audio/": {"credentials", "errors"},
    "stt_load/dialects/": {"errors"},
    "stt_load/metrics/": {"errors", "records"},
    "stt_load/stream/": {"audio", "clock", "credentials", "dialects", "errors", "option_values", "records"},
    "stt_load/uploads/": {"audio", "dialects", "errors", "records", "stream"},
    "stt_load/tts/": {"audio", "dialects", "errors", "metrics", "sidecar_client", "stream"},
    "stt_load/report/": {"errors", "metrics", "records", "load.plan"},
    "stt_load/calibration/": {"__version__", "audio", "credentials", "errors", "metrics", "server.process"},
    "stt_load/run/plan.py": set(),
    "stt_load/run/stage_update.py": {"load.plan"},
    "stt_load/run/worker_report.py": {"load.plan", "load.sign", "records"},
    "stt_load/run/ledger.py": {"errors", "metrics", "records"},
    "stt_load/run/run_folder.py": {"errors"},
    "stt_load/options.py": set(),
    "stt_load/sidecar/clock.py": set(),
    "stt_load/config.py": {"dialects", "errors", "metrics", "option_values", "records", "tts", "uploads"},
}


@pytest.mark.parametrize("place", MAY_IMPORT)
def test_arrows_point_down(place: str) -> None:
    own = place.removeprefix("stt_load/").removesuffix(".py").removesuffix("/").replace("/", ".")
    allowed = tuple(f"stt_load.{name}" for name in {own, *MAY_IMPORT[place]})
    for name in (n for n in LOAD_SIDE if n == place or (place.endswith("/") and n.startswith(place))):
        ours = {module for module in imports_of(name) if module.startswith("stt_load.")}
        assert not {m for m in ours if not any(m == a or m.startswith(a + ".") for a in allowed)}, name


@pytest.mark.parametrize("name", SIDECAR)
def test_the_sidecar_is_at_home_on_a_bare_host(name: str) -> None:
    assert not tops(imports_of(name)) - sys.stdlib_module_names - {"gpu_sidecar"}


@pytest.mark.parametrize("name", LOAD_SIDE)
def test_the_load_side_imports_nothing_of_the_sidecar(name: str) -> None:
    assert "gpu_sidecar" not in tops(imports_of(name))


@pytest.mark.parametrize("module", ["stt_load", "stt_load.config", "stt_load.report.folder", "stt_load.net.websocket"])
def test_importing_it_patches_nothing(module: str) -> None:
    """Importing locust patches the process, so nothing but locustfiles and shells of Locust's may do it."""
    look = f"import sys, {module}; print(*sorted({{'locust', 'gevent'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""


def test_importing_the_package_reads_and_opens_nothing() -> None:
    look = "import sys; before = set(sys.modules); import stt_load; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["stt_load"]


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.endswith("__.py")])
def test_a_source_file_has_its_tests(name: str) -> None:
    """tests/audio/test_pool.py or, where two modules share a name, tests/report/test_report_folder.py; the
    sidecar's are called test_gpu_…; everything else is told in TESTED_BY."""
    path = Path(name)
    is_sidecar = path.parts[0] == "gpu_sidecar"
    folder = CHECKOUT / "tests" / (path.parent if is_sidecar else path.parent.relative_to("stt_load"))
    if path.parent.name == "voices":  # the server's side of a dialect, tested beside the client's
        folder = CHECKOUT / "tests/dialects"
    prefix = "gpu" if is_sidecar else path.parent.name
    stems = (path.stem, f"{prefix}_{path.stem}", f"{path.stem}_command")
    candidates = [folder / f"test_{stem}.py" for stem in stems]
    if name in TESTED_BY:
        assert not [c for c in candidates if c.exists()], "it has a test file of its own now: take it off the list"
        candidates = [CHECKOUT / other for other in TESTED_BY[name]]
        assert all(candidate.exists() for candidate in candidates), TESTED_BY[name]
    assert any(candidate.exists() for candidate in candidates)


@pytest.mark.parametrize("name", [*SOURCES, *names_of("locustfiles")])
def test_a_file_is_one_noun(name: str) -> None:
    n_lines = len((CHECKOUT / name).read_text(encoding="utf-8").splitlines())
    if name in LONG:
        assert n_lines > LINES_AT_MOST, "it is short enough now: take it off the list"
    else:
        assert n_lines <= LINES_AT_MOST


def test_the_lists_name_files_that_exist() -> None:
    assert not [name for name in (*LONG, *TESTED_BY, *MAY_IMPORT) if not (CHECKOUT / name).exists()]


@pytest.mark.parametrize("name", SOURCES)
def test_no_name_hides_what_is_in_it(name: str) -> None:
    assert not {"utils", "helpers", "manager", "util", "helper", "common", "misc"} & set(Path(name).stem.split("_"))


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(tree_of(name))
