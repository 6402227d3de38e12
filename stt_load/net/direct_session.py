"""The session of `requests` for servers that are named once and asked at that address only."""

from __future__ import annotations

import requests


class DirectSession(requests.Session):
    """A session for which a redirect is an answer like any other.

    With `allow_redirects=False` alone `requests` still reads the whole body of a redirect, into memory and without an
    end where the server sends none, before `stream=True` gives the caller a say.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None
