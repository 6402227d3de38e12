"""What test folders share: stand-ins and made-up runs that live beside the tests they were made for.

The folders below hold modules that tests in other folders need too, so they are on the path.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A machine that is busy is no fault of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell starts a background job deaf to Ctrl-C and to its harder form, and nohup to a terminal that goes, and so are
# the programs that it starts: tests of these signals would hang. A handler is not handed on, and nohup's job lives on.
for _signal, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, lambda *_: None),
):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _handler)

# A job of a CI system gets a summary of its own, not one of every report that a test writes.
os.environ.pop("GITHUB_STEP_SUMMARY", None)

for _folder in (
    "",
    "audio",
    "calibration",
    "capacity",
    "clips",
    "comparison",
    "deploy",
    "dialects",
    "gpu_sidecar",
    "history",
    "integration",
    "locust_plugin",
    "net",
    "net/namespaces",
    "report",
    "run",
    "server",
    "sizing",
    "telemetry",
    "tts",
):
    sys.path.append(str(Path(__file__).parent / _folder))

from recorded import FOLDERS  # noqa: E402 - found on the path that the lines above make
from stand_in import StandInSmi  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--conversations",
        metavar="FOLDER",
        help="hold the dialects that FOLDER has conversations of against the conformance suite, in place of our own",
    )


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("--conversations")
    if folder:
        FOLDERS[:] = [Path(folder)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files that take long first: a test process that began one at the very end would keep the others waiting."""
    long = {item.path for item in items if any(item.get_closest_marker(name) for name in ("locust", "slow"))}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture
def smi(tmp_path: Path) -> Iterator[StandInSmi]:
    """A stand-in `nvidia-smi`, to be found through its `environment`."""
    stand_in = StandInSmi(tmp_path)
    yield stand_in
    stand_in.close()
