"""A real Chromium without a window, told what to do over its DevTools protocol
(https://chromedevtools.github.io/devtools-protocol/)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import requests
from websocket import WebSocket, create_connection

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
_PATIENCE_S = 60.0


class Browser:
    """A browser with one page; on leaving, it is ended with all its processes."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        self._log = profile / "log.txt"
        profile.mkdir()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [CHROMIUM, *_FLAGS, f"--user-data-dir={profile / 'data'}", "about:blank"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._n_asked = 0

    def __enter__(self) -> Browser:
        try:
            site = f"http://127.0.0.1:{self._port()}"
            (page,) = [
                each for each in requests.get(f"{site}/json", timeout=_PATIENCE_S).json() if each["type"] == "page"
            ]
            self._page: WebSocket = create_connection(
                page["webSocketDebuggerUrl"], timeout=_PATIENCE_S, suppress_origin=True
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def open(self, url: str) -> None:
        self._ask("Page.navigate", url=url)
        self.wait_until(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression in the page, of a promise what it comes to."""
        answer = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_until(self, script: str) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            if self.run(script):
                return
            time.sleep(0.1)
        raise AssertionError(f"waited in vain for {script}: {self.run('document.body.innerText')}")

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._n_asked += 1
        self._page.send(json.dumps({"id": self._n_asked, "method": method, "params": params}))
        while True:
            answer = json.loads(self._page.recv())
            if answer.get("id") == self._n_asked:
                return dict(answer["result"])

    def _port(self) -> str:
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            said = self._log.read_text(encoding="utf-8", errors="replace")
            if found := re.search(r"DevTools listening on ws://[^:]+:(\d+)/", said):
                return found[1]
            assert self._process.poll() is None, said
            time.sleep(0.1)
        raise AssertionError(f"Chromium does not listen: {self._log.read_text(errors='replace')}")
