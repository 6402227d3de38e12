"""The HTTP session in which figures go to a collector: what the exporter would take for success, or read without an
end, is an error here."""

from __future__ import annotations

from typing import Any

import requests

from stt_load.net.direct_session import DirectSession

_MOST_BYTES = 64 * 1024
"""A collector answers with a few bytes: how many points it has left out. The exporter doesn't look at them."""


class CollectorSession(DirectSession):
    """Raises TooManyRedirects for a redirect: the exporter follows none, and calls it a success. Of an answer no more
    than a little is read."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = super().send(request, **(options | {"stream": True}))
        answer.raw.read1(_MOST_BYTES)  # what is there: one that drips is not waited for
        answer.close()  # without effect on an answer that is read, whose connection is kept
        if answer.is_redirect:
            raise requests.TooManyRedirects(f"it answers {answer.status_code}, which sends elsewhere: name that URL")
        return answer
