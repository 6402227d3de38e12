"""What load tests over several machines need: the right to make networks, clips, and a folder for each."""

from __future__ import annotations

import numpy as np
import pytest
from load_cluster import TEXT, LoadCluster, MakeCluster
from network import why_no_namespaces

from stt_load.audio.clip import Clip
from stt_load.clips.folder import write_folder

RATE_HZ = 16_000
CLIP_S = 1.0


@pytest.fixture(scope="session", autouse=True)
def networks_can_be_made() -> None:
    if why := why_no_namespaces():
        pytest.skip(f"no network can be made here: {why}")


@pytest.fixture(scope="session")
def make_cluster(tmp_path_factory: pytest.TempPathFactory) -> MakeCluster:
    """Makes the machines of one load test, in a folder of that name. They play clips of a second."""
    folder = tmp_path_factory.mktemp("machines")
    tone = np.arange(int(CLIP_S * RATE_HZ)) / RATE_HZ
    clips = [
        Clip(f"clip-{hz}", TEXT, (8_000 * np.sin(2 * np.pi * hz * tone)).astype(np.int16), RATE_HZ, 0.0, CLIP_S)
        for hz in (200, 300, 400, 500)
    ]
    write_folder(folder / "clips", clips, {"engine": "test"})
    return lambda name: LoadCluster(folder / name, folder / "clips")
