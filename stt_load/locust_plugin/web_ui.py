"""The doors of Locust's web UI, which has no password: who may use it, and what of its user classes may be set."""

from __future__ import annotations

import json
import socket
from typing import Any

from flask import Flask, Response, jsonify, make_response, request
from locust.argument_parser import LocustArgumentParser

from stt_load.locust_plugin.request_origin import HOSTS_FLAG, HOSTS_VARIABLE, find_refusal

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
        policy = [*response.headers.getlist("Content-Security-Policy"), "frame-ancestors 'self'"]
        response.headers["Content-Security-Policy"] = "; ".join(policy)
        return response
