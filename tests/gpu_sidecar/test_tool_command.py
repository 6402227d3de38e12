"""Commands that ask for less, and for another tool, when they are refused."""

from __future__ import annotations

import pytest
from fallback_commands import FallbackCommands

from gpu_sidecar.sources.dmon import DmonCommand
from gpu_sidecar.sources.query import QueryCommand
from gpu_sidecar.sources.tool_command import FirstAccepted, Parse


def nothing() -> Parse:
    return lambda line: None


def chain() -> FirstAccepted:
    return FirstAccepted(
        FallbackCommands("one", nothing, ["one", "all"], ["one", "some"]),
        FallbackCommands("two", nothing, ["two"], header="index"),
    )


def test_commands_are_tried_in_their_order_and_then_from_the_first_again() -> None:
    commands = FallbackCommands("one", nothing, ["one", "all"], ["one", "some"])
    tried = [commands.argv([])]
    assert commands.ask_less([])
    tried.append(commands.argv([]))
    assert not commands.ask_less([])
    assert [*tried, commands.argv([])] == [["one", "all"], ["one", "some"], ["one", "all"]]


def test_another_tool_is_asked_once_the_first_has_refused_everything(caplog: pytest.LogCaptureFixture) -> None:
    commands = chain()
    assert (commands.name, commands.header, commands.note) == ("one", "#", "")
    assert commands.ask_less(["Not supported"])
    assert (commands.argv([]), commands.note) == (["one", "some"], "")
    assert commands.ask_less(["WARNING: x", "Not supported", "Failed"])
    assert (commands.name, commands.header, commands.argv([])) == ("two", "index", ["two"])
    assert commands.note == "one: Not supported; two is used instead"
    assert not commands.ask_less(["Not here either"])
    assert (commands.name, commands.argv([]), commands.note) == ("one", ["one", "all"], "")
    while commands.name == "one":
        commands.ask_less(["Not supported"])
    assert caplog.messages == ["one: Not supported; two is used instead"]


def test_a_tool_that_gives_too_little_is_left_for_the_next_one_and_the_last_is_kept() -> None:
    commands = chain()
    assert commands.ask_another("it prints no row of GPU 6")
    assert (commands.name, commands.note) == ("two", "one: it prints no row of GPU 6; two is used instead")
    assert not commands.ask_another("it prints no row of GPU 6")
    assert commands.name == "two"


@pytest.mark.parametrize("command", [DmonCommand(1), QueryCommand(1.0)], ids=["dmon", "query"])
def test_nvidia_smi_samples_the_gpus_that_it_is_told(command: DmonCommand | QueryCommand) -> None:
    assert command.argv([6, 7])[-2:] == ["-i", "6,7"]
    assert "-i" not in command.argv([])
    assert command.is_refusal(3, ["Not supported on the device(s)"])
    assert not command.is_refusal(9, ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."])
    assert command.describe_exit(15) == "exit status 15 (a GPU has fallen off the bus, or can't be reached)"
