"""Keys for masks and upgrades: no two alike, beyond what is fetched at once."""

from __future__ import annotations

import itertools

import pytest

from stt_load.net.random_keys import random_keys


@pytest.mark.parametrize("n_bytes", [4, 16])
def test_keys_have_their_length_and_hardly_ever_come_twice(n_bytes: int) -> None:
    keys = list(itertools.islice(random_keys(n_bytes), 10_000))
    assert {len(key) for key in keys} == {n_bytes}
    assert len(set(keys)) > 9_950
