"""The shipped ladder, whose workers each call the sink that BENCH_SINK_URL names instead of the master's --stt-url."""

import locust  # first: it patches the process

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "locustfiles"))

import ladder

assert locust.__version__
Ladder = ladder.Ladder


class Caller(ladder.Caller):
    """Options come from the master, with the first users: this is the first moment at which one can differ."""

    def on_start(self) -> None:
        self.environment.parsed_options.stt_url = os.environ["BENCH_SINK_URL"]
        super().on_start()
