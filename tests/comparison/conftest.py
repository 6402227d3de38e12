from __future__ import annotations

from pathlib import Path

import pytest
from made_results import run_of


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of one server (`before`, `again`, `a1` … `b3`), and of one that holds less (`after`)."""
    root = tmp_path_factory.mktemp("results")
    after = run_of("fp16", 9, knee_at=8)
    after.run |= {"versions": {"stt-load": "0.2.0", "python": "3.11"}, "seed": 8}
    after.run["options"] = after.run["options"] | {"pause": "1s"}
    made = {"before": run_of("baseline"), "again": run_of("again", 8), "after": after}
    made |= {f"{side}{n}": run_of(f"side {side}", 10 * n + (side == "b")) for side in "ab" for n in (1, 2, 3)}
    return {name: run.write(root / name) for name, run in made.items()}
