"""Joins our form to Locust's web UI: what its page shows, and whether a run may start with what was typed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from flask import Flask, Response, before_render_template, jsonify, request
from locust.argument_parser import ui_extra_args_dict
from locust.runners import STATE_INIT, STATE_SPAWNING, STATE_STOPPED
from werkzeug.datastructures import ImmutableMultiDict

from stt_load.config import parse_options
from stt_load.errors import ConfigError
from stt_load.locust_plugin.cluster.messages import SERVERS_OPTION
from stt_load.locust_plugin.cluster.worker_cluster import present_workers
from stt_load.locust_plugin.web_form import HOST, URL, Problem, WebForm
from stt_load.options import OPTIONS
from stt_load.run.named_servers import find_unnamed
from stt_load.run.preflight import find_problems

# The fields of Locust's own form; the others are custom parameters.
_FIELDS = frozenset(["user_count", "spawn_rate", HOST, "run_time", "profile", "user_classes", "shape_class"])
_OURS = frozenset(option.key for option in OPTIONS)


def install_form(environment: Any) -> None:
    """Called once, before the web UI starts to listen."""
    app: Flask = environment.web_ui.app
    app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}  # the page shows fields in this order
    extra = ui_extra_args_dict()
    form = WebForm(environment.parsed_options, extra)
    known = _FIELDS | extra.keys() | {URL}
    start = cast(Callable[[], Response], app.view_functions["locust.swarm"])

    def swarm() -> Response:
        why = "the web UI has no such field: set it when Locust is started"
        problems = [Problem(key, f"{key}: {why}") for key in request.form if key not in known]
        values, wrong = form.read(request.form.to_dict())
        problems = problems or wrong or _find_problems(environment, form, values)
        if problems:
            return _refuse(problems, environment.host)
        # Locust takes its own fields from the form. It would turn lists and numbers into something else.
        vars(environment.parsed_options).update(values)
        its = [(key, value) for key, value in request.form.items(multi=True) if key not in _OURS | {HOST}]
        request.form = ImmutableMultiDict([*its, (HOST, form.url)])
        answer, role = start(), environment.stt_role
        role.is_started, role.why_refused = answer.get_json()["success"], ()
        return answer

    app.view_functions["locust.swarm"] = environment.web_ui.auth_required_if_enabled(swarm)

    @app.after_request
    def tell_of_start(response: Response) -> Response:
        """Adds to what the page asks for now and then. Locust calls itself ready, or stopped, as long as a run is
        prepared: its page would show the form again, and ask no more. A run that could not start after all is told."""
        if request.endpoint == "locust.request_stats" and response.is_json:  # a stranger gets another answer
            role, told = environment.stt_role, response.get_json()
            if role.is_started and told["state"] in (STATE_INIT, STATE_STOPPED):
                told["state"] = STATE_SPAWNING
            told["refused"] = _told(map(Problem.of, role.why_refused))
            response.set_data(app.json.dumps(told))
        return response

    def show_form(_: Flask, context: dict[str, Any], **__: Any) -> None:
        """Flask is about to render a page."""
        page = context.get("template_args") or {}
        if "extra_options" in page:
            page["extra_options"] = _extra_options(form, page["extra_options"])
            page["is_host_required"] = True
            page["host"] = form.url

    before_render_template.connect(show_form, app, weak=False)


def _refuse(problems: Sequence[Problem], host: str | None) -> Response:
    """The answer by which Locust refuses a wrong value: its page shows `message`. Our script shows `problems`."""
    message = "\n".join(problem.text for problem in problems)
    return jsonify(success=False, message=message, problems=_told(problems), host=host)


def _told(problems: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"field": problem.field, "text": problem.text} for problem in problems]


def _find_problems(environment: Any, form: WebForm, values: Mapping[str, Any]) -> list[Problem]:
    """Everything that would make a run pointless, as far as it can be told without load."""
    runner = environment.runner
    if hasattr(runner, "clients") and not present_workers(runner):
        return [Problem("", "no load worker is here: start one before the run")]
    if environment.stt_role.run is not None:
        what = "a run is on: stop it first, or leave this as it is"
        return [Problem.of(f"--{key.replace('_', '-')}: {what}") for key in form.changed(values)]
    options = {**vars(environment.parsed_options), **values}
    try:
        config = parse_options(options)
        lines = find_unnamed(config, options.get(SERVERS_OPTION, {}), os.environ) or find_problems(config)
    except ConfigError as error:
        lines = list(error.problems)
    return [Problem.of(line) for line in lines]


def _extra_options(form: WebForm, of_locust: Mapping[str, Any]) -> dict[str, Any]:
    """The custom parameters of Locust's form: ours in groups, then those of somebody else's locustfile. Some of ours
    are not shown, because they mean nothing to the load of this locustfile."""
    ours = {
        option.key: {
            **of_locust[option.key],
            "default_value": value,
            "choices": form.choices(option) or None,
            "is_multiple": False,  # Locust's word for a list in which several are chosen
            "help_text": form.help_of(option),
            "group": option.group,
            "flag": f"--{option.name}",
        }
        for option, value in form.shown()
    }
    return ours | {key: shown for key, shown in of_locust.items() if key not in _OURS}
