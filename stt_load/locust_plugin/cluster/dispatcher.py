"""How Locust's master shares callers among its workers, mended: it has to know when it has done so."""

from __future__ import annotations

from collections.abc import Generator

from locust.dispatch import UsersDispatcher


class Dispatcher(UsersDispatcher):
    """Locust's, which goes on believing that it is sharing callers once it has done so because workers had changed.
    With a worker that comes back after it was given up, it then shares nothing: that worker plays its callers beside
    those that play them in its place."""

    def _dispatcher(self) -> Generator[dict[str, dict[str, int]]]:
        yield from super()._dispatcher()
        self._dispatch_in_progress = False
