"""What Locust would make of its arguments: user classes that would have nothing to do."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest
from made_locust import MadeRunner, MadeUser, made_environment

from stt_load.locust_plugin.arguments import find_task_problems

LOUD = Namespace(locust_tag_set={"loud", "big"})


def user(*tasks: Any, **what: Any) -> Any:
    return type("Caller", (MadeUser,), {"tasks": tasks, **what})


@pytest.mark.parametrize(
    ("classes", "options", "starts"),
    [
        ([user(len)], {}, []),
        ([user(len)], {"tags": [], "exclude_tags": None}, []),
        ([user(len)], {"exclude_tags": ["slow"]}, []),
        ([user(LOUD)], {"tags": ["big", "slow"]}, []),
        ([user(LOUD, len)], {"exclude_tags": ["big"]}, []),
        ([user(len)], {"tags": ["smoke", "slow"]}, ["--tags smoke slow: leaves Caller no task: "]),
        ([user(LOUD)], {"exclude_tags": ["big"]}, ["--exclude-tags big: leaves Caller no task: "]),
        ([user(LOUD)], {"tags": ["big"], "exclude_tags": ["loud"]}, ["--exclude-tags loud: leaves Caller no task: "]),
        ([user()], {"tags": ["smoke"]}, ["Caller: it has no task: "]),
        ([user(len), user()], {}, ["Caller: it has no task: "]),
        ([user(len, weight=0)], {}, ["Caller: has no weight, so Locust starts nobody: "]),
        ([user(len, weight=0, fixed_count=1)], {}, []),
        ([], {}, []),  # Locust says so itself
    ],
)
def test_user_classes_that_would_have_nothing_to_do(
    classes: list[Any], options: dict[str, Any], starts: list[str]
) -> None:
    problems = find_task_problems(made_environment(MadeRunner(), user_classes=classes, **options))
    assert [problem[: len(start)] for problem, start in zip(problems, starts, strict=True)] == starts
