"""The form of the web UI: what is shown of the options, and what of a typed form a run is started with."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from stt_load.config import parse_options
from stt_load.errors import ConfigError
from stt_load.kinds import TTS, UPLOAD
from stt_load.locust_plugin.web_form import WebForm, settle_host
from stt_load.options import OPTIONS, Group, PlanKind, options_of

SECRET = "ws://me:planted-1@stt.example/ws?key=planted-2"
SHOWN = "ws://stt.example/ws?key=***"


def parsed(plan: PlanKind = PlanKind.LADDER, **given: Any) -> Namespace:
    """Options as Locust has parsed them from a command line."""
    values = {option.key: [] if option.is_multiple else option.default or "" for option in options_of(plan)}
    return Namespace(**{**values, "host": None, **given})


def form_of(plan: PlanKind = PlanKind.LADDER, **given: Any) -> WebForm:
    options = parsed(plan, **given)
    return WebForm(options, {option.key for option in OPTIONS if option.in_web_ui and hasattr(options, option.key)})


def test_fields_stand_in_groups_and_only_those_that_mean_something() -> None:
    ladder, by_hand = ([option for option, _ in form_of(plan).shown()] for plan in (PlanKind.LADDER, PlanKind.FOLLOW))
    groups = list(dict.fromkeys(option.group for option in ladder))
    assert groups == [group for group in Group if group in groups]
    assert {"dialect", "slo", "dialect_option", "concurrency", "frame_ms"} <= {option.key for option in ladder}
    assert not {"stt_url", "results", "clips", "output", "header"} & {option.key for option in ladder}
    assert "concurrency" not in {option.key for option in by_hand}
    speech = {option.key for option, _ in form_of(dialect=next(iter(TTS.dialect_rows()))).shown()}
    assert not {"frame_ms", "language"} & speech


def test_what_can_be_chosen_is_a_list() -> None:
    form = form_of(dialect="upload-openai")
    choices = {option.key: form.choices(option) for option in OPTIONS if form.choices(option)}
    assert choices == {
        "dialect": tuple(UPLOAD.dialect_rows()),
        "end": ("", "client", "server"),
        "arrival": ("random", "together"),
    }


def test_help_says_what_happens_where_a_field_stays_empty() -> None:
    form = form_of(dialect=next(iter(TTS.dialect_rows())))
    helps = {option.key: form.help_of(option) for option, _ in form.shown()}
    assert helps["hold"] == "How long each stage is held once all its callers are there."
    assert helps["gpu_id"].endswith("[default: those that the server uses]")
    assert helps["slo"] == "A bound that every stage must meet; can be repeated. Several are written with commas."


def test_what_comes_back_as_it_was_shown_is_what_was_given() -> None:
    form = form_of(
        stt_url=SECRET, slo=["wer<8%", "error_rate<1%"], verbose=True, tts_url="http://me:pw@tts.example/tts"
    )
    shown = {option.key: value for option, value in form.shown()}
    assert (form.url, shown["slo"], shown["tts_url"]) == (SHOWN, "wer<8%, error_rate<1%", "http://tts.example/tts")
    typed = {key: str(value).lower() if isinstance(value, bool) else value for key, value in shown.items()}
    values, problems = form.read({**typed, "host": SHOWN})
    assert not problems
    assert form.changed(values) == []
    assert (values["stt_url"], values["tts_url"], values["verbose"]) == (SECRET, "http://me:pw@tts.example/tts", True)
    assert parse_options({**vars(parsed()), **values}).slos[0].text == "wer<8%"


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("wer<8%, error_rate<1%", ["wer<8%", "error_rate<1%"]),
        (" wer<8% ;\n error_rate<1%;", ["wer<8%", "error_rate<1%"]),
        ("words=one,two, model=a", ["words=one,two", "model=a"]),
        ("", []),
    ],
)
def test_several_values_are_one_text_with_commas(typed: str, values: list[str]) -> None:
    assert form_of(stt_url="ws://a/b").read({"slo": typed})[0]["slo"] == values


def test_the_host_is_the_url_of_the_server() -> None:
    form = form_of()
    (problem,) = form.read({"host": " "})[1]
    assert (problem.field, problem.text) == ("host", "Host: type the URL of the server, as in ws://localhost:8000/ws")
    assert form.read({"host": " ws://other/ws "}) == ({"stt_url": "ws://other/ws"}, [])
    assert form.read({"stt_url": "ws://other/ws"}) == ({"stt_url": "ws://other/ws"}, [])
    (problem,) = form.read({"host": "ws://a/ws", "stt_url": "ws://b/ws"})[1]
    assert problem.field == "host"
    (problem,) = form_of(stt_url=SECRET).read({"host": f"{SHOWN}&more=***"})[1]
    assert problem.text == "*** stands for what is not shown: type the whole URL"


def test_both_names_of_the_server_name_one() -> None:
    for given in ({"host": SECRET}, {"stt_url": SECRET}, {"host": SECRET, "stt_url": SECRET}):
        options = parsed(**given)
        settle_host(options)
        assert (options.stt_url, options.host) == (SECRET, SHOWN), "Locust shows its host and sends it around"
    options = parsed()
    settle_host(options)
    assert (options.stt_url, options.host) == ("", None)
    with pytest.raises(ConfigError, match="name different servers"):
        settle_host(parsed(host="http://a", stt_url="ws://b"))
