from __future__ import annotations

from pathlib import Path

import pytest

from stt_load.clips.cache_folder import cache_folder


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_LOAD_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("STT_LOAD_CACHE")
    assert cache_folder().name == "stt-load"
