"""The doors of Locust's web UI, which has no password: who may use it, and what a run may be asked through it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, before_render_template, jsonify, make_response, request
from locust.argument_parser import LocustArgumentParser, ui_extra_args_dict
from werkzeug.datastructures import ImmutableMultiDict

from stt_load.config import parse_options
from stt_load.errors import ConfigError
from stt_load.locust_plugin.cluster.messages import SERVERS_OPTION
from stt_load.locust_plugin.request_origin import HOSTS_FLAG, HOSTS_VARIABLE, find_refusal
from stt_load.run.named_servers import find_unnamed
from stt_load.text.url_secrets import HIDDEN, without_credentials

# The fields of Locust's own form; the others are custom parameters.
_FIELDS = frozenset(["user_count", "spawn_rate", "host", "run_time", "profile", "user_classes", "shape_class"])

# What Locust's class picker edits of a user class, besides what the class itself shows there.
_CLASS_FIELDS = frozenset(["user_class_name", "tasks", "weight", "fixed_count"])


def add_hosts_option(parser: LocustArgumentParser) -> None:
    parser.add_argument(
        HOSTS_FLAG,
        metavar="HOST,…",
        default="",
        env_var=HOSTS_VARIABLE,
        include_in_web_ui=False,
        help="More names under which the web UI is opened, behind a reverse proxy for example. localhost, addresses, "
        "--web-host and the name of this machine are known.",
    )


def guard(environment: Any) -> None:
    """Guards the web UI, before it starts to listen."""
    app: Flask = environment.web_ui.app
    options = environment.parsed_options
    names = {name.strip().lower() for name in options.web_allowed_hosts.split(",")} - {""}
    own = {options.web_host.lower(), socket.gethostname().lower()} - {""}

    @app.before_request
    def refuse_strangers() -> Response | None:
        why = find_refusal(request.method, request.host, dict(request.headers), names, own)
        return None if why is None else make_response(why + "\n", 403, {"Content-Type": "text/plain; charset=utf-8"})

    @app.before_request
    def check_form() -> Response | None:
        if request.endpoint != "locust.swarm":
            return None
        shown = ui_extra_args_dict()
        form = [(key, _as_given(value, shown.get(key))) for key, value in request.form.items(multi=True)]
        request.form = ImmutableMultiDict(form)
        problems = _find_problems(request.form.to_dict(), shown, vars(options))
        # As Locust answers a wrong value: its page shows `message`.
        return jsonify(success=False, message="; ".join(problems), host=environment.host) if problems else None

    @app.before_request
    def check_user_class() -> tuple[Response, int] | None:
        if request.endpoint != "locust.update_user":
            return None
        try:
            settings = json.loads(request.data)
            shown = environment.available_user_classes[settings["user_class_name"]].json()
            unknown = settings.keys() - _CLASS_FIELDS - shown.keys()
        except (AttributeError, KeyError, TypeError, ValueError):
            return jsonify(message="this is no user class and its settings"), 400
        # Locust itself would set any attribute of the class.
        return (jsonify(message=f"not to be set here: {', '.join(sorted(unknown))}"), 400) if unknown else None

    @app.after_request
    def keep_out_of_frames(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "frame-ancestors 'self'"
        return response

    before_render_template.connect(_hide_secrets, app, weak=False)


def _hide_secrets(_: Flask, context: dict[str, Any], **__: Any) -> None:
    """Flask is about to render a page: the form shows URLs without what is secret in them."""
    for shown in context.get("template_args", {}).get("extra_options", {}).values():
        shown["default_value"] = _as_shown(shown["default_value"])


def _as_shown(value: Any) -> Any:
    return without_credentials(value) if isinstance(value, str) and "://" in value else value


def _as_given(value: str, shown: Mapping[str, Any] | None) -> str:
    """The value of a field as it was given on the command line, where the form sends back what it was shown of it."""
    default = None if shown is None else shown["default_value"]
    return default if isinstance(default, str) and value == _as_shown(default) else value


def _find_problems(form: Mapping[str, str], shown: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """One line for each thing that can't be asked for here. Locust itself would take all that it has an option for."""
    unknown = [key for key in form if key not in _FIELDS and key not in shown]
    problems = [f"{key}: the web UI has no such field: set it when Locust is started" for key in unknown]
    problems += [
        f"--{key.replace('_', '-')}: {HIDDEN} stands for what is not shown: type the whole URL"
        for key, value in form.items()
        if "://" in value and HIDDEN in value and value != shown.get(key, {}).get("default_value")
    ]
    if problems:
        return problems
    try:
        config = parse_options({**options, **{key: value for key, value in form.items() if key in shown}})
    except ConfigError:
        return []  # told when the run starts, with all else that is wrong
    return find_unnamed(config, options.get(SERVERS_OPTION, {}), os.environ)
