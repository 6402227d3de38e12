"""The dialect of CONTRIBUTING.md as a package of its own, built and installed, and a server that speaks it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from walkthrough import follow, steps_of
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

PATIENCE_S = 120.0
WORDS = "seven words that no clip has said"


def install_package(folder: Path) -> Path:
    """Writes the package as CONTRIBUTING.md says, builds its wheel and installs that into a folder of its own: what is
    returned, to be put on the path."""
    source, site = folder / "source", folder / "site"
    source.mkdir(parents=True)
    (source / "acme_stt.py").write_text(steps_of("Add a dialect")[0].code, encoding="utf-8")
    for step in steps_of("Add a dialect in a package of your own")[:3]:
        follow(step, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    line = [*pip, "--no-build-isolation", "--target", str(site), str(source)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return site


@contextmanager
def acme_server() -> Iterator[str]:
    """The URL of a server that takes all speech for `WORDS` and tells them when the client ends its utterance."""

    def talk(connection: ServerConnection) -> None:
        try:
            for message in connection:
                if isinstance(message, str) and json.loads(message) == {"kind": "end"}:
                    connection.send(json.dumps({"kind": "partial", "words": WORDS.split()[0]}))
                    connection.send(json.dumps({"kind": "final", "words": WORDS}))
        except ConnectionClosed:
            pass

    with serve(talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/listen"
        finally:
            server.shutdown()
            thread.join(PATIENCE_S)
