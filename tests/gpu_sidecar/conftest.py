from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_in import StandInSmi


@pytest.fixture
def smi(tmp_path: Path) -> Iterator[StandInSmi]:
    stand_in = StandInSmi(tmp_path)
    yield stand_in
    stand_in.close()
