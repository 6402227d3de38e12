"""One embedded recogniser for all tests that only talk to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stt_load.server.process import ServerProcess, start_embedded_server


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The default texts, two callers at most."""
    pytest.importorskip("pocketsphinx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STT_LOAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        with start_embedded_server("--max-callers", "2", "--decoders", "2") as process:
            yield process
