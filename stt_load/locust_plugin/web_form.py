"""The form of Locust's web UI: how it shows our options, and what is typed into it.

Locust makes its fields of the command line, in alphabetical order. Here they get groups, lists to choose from and
values without secrets. What comes back is read by the declaration of each option, and all that is wrong is told at
once. The host of Locust's form is the URL of the server, which is `--stt-url` elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stt_load.config import one_url
from stt_load.kinds import LoadKind, kind_of
from stt_load.options import OPTIONS, Group, Option
from stt_load.text.url_secrets import HIDDEN, without_credentials

HOST = "host"
URL = "stt_url"
# Between two values of an option that can be repeated. A value may have commas too: then what follows has no `=`.
_BETWEEN = re.compile(r"\s*[;\n]\s*|\s*,\s*(?=[^,;=<>]+[=<>])")
_NAMED = re.compile(r"--([a-z][a-z0-9-]*)")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `field`: the name of the field that it is about, empty where there is none."""

    field: str
    text: str

    @classmethod
    def of(cls, line: str) -> Problem:
        """`line`: what `ConfigError` has, which begins with the name of the option."""
        named = _NAMED.match(line)
        key = named[1].replace("-", "_") if named else ""
        return cls(HOST if key == URL else key, line)


def settle_host(options: Any) -> None:
    """Makes one server of `--host` and `--stt-url`, which mean the same: parsed options have it as `stt_url`, and
    Locust, which shows and sends around its `host`, has it there without what is secret.

    Raises ConfigError where the two name different servers.
    """
    options.stt_url = one_url(options.stt_url, options.host) or ""
    options.host = without_credentials(options.stt_url) or None


class WebForm:
    """The form. `options`: the parsed options of this process, which are what a run is started with. `keys`: those that
    may be shown, which are those of its command line without what `include_in_web_ui` leaves out."""

    def __init__(self, options: Any, keys: Container[str]) -> None:
        self._options = vars(options)
        self._fields = [option for option in OPTIONS if option.key in keys and option.key != URL]

    @property
    def kind(self) -> LoadKind:
        return kind_of(self._options["dialect"])

    def shown(self) -> Iterator[tuple[Option, str | bool]]:
        """The fields from top to bottom, each with its value."""
        kind = self.kind
        groups = list(Group)
        for option in sorted(self._fields, key=lambda option: groups.index(option.group)):
            if kind in option.kinds:
                yield option, self._value_of(option)

    def choices(self, option: Option) -> tuple[str, ...]:
        """What an option can be set to, where that is a list: the servers of this kind of load for `--dialect`."""
        if option.key == "dialect":
            return tuple(self.kind.dialect_rows())
        nothing = ("",) if option.choices and option.default is None else ()
        return (*nothing, *option.choices)

    def help_of(self, option: Option) -> str:
        """What stands below a field: of an empty one also what happens if it stays so."""
        said = option.help if self._value_of(option) else option.help_with_default
        return f"{said} Several are written with commas." if option.is_multiple else said

    @property
    def url(self) -> str:
        """The server's URL without what is secret in it; empty where nobody has named one."""
        return without_credentials(self._options[URL]) or ""

    def read(self, form: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
        """What a run is to be started with, by option key, and what is wrong with the form itself.

        A field that comes back as it was shown keeps the value that it stands for, secrets included.
        """
        values: dict[str, Any] = {}
        for option, shown in self.shown():
            if option.key in form:
                typed = form[option.key]
                is_same = typed == (str(shown).lower() if option.is_flag else shown)
                values[option.key] = self._options[option.key] if is_same else _parsed(option, typed)
        typed_urls = {form[name].strip() for name in (HOST, URL) if form.get(name, "").strip()}
        problems = [] if len(typed_urls) < 2 else [Problem(HOST, "host and stt_url name different servers")]
        for url in typed_urls:
            values[URL] = self._options[URL] if url == self.url else url
        if not (values.get(URL) or self._options[URL]):
            example = self.kind.dialect_rows()[self._options["dialect"]].default_url
            problems.append(Problem(HOST, f"Host: type the URL of the server, as in {example}"))
        problems += [
            Problem(HOST if key == URL else key, f"{HIDDEN} stands for what is not shown: type the whole URL")
            for key, value in values.items()
            if isinstance(value, str) and "://" in value and HIDDEN in value and value != self._options[key]
        ]
        return values, problems

    def changed(self, values: Mapping[str, Any]) -> list[str]:
        """The keys of values that differ from those of now."""
        return [key for key, value in values.items() if value != self._options[key]]

    def _value_of(self, option: Option) -> str | bool:
        value = self._options[option.key]
        if option.is_flag:
            return bool(value)
        if option.is_multiple:
            defaults = self.kind.default_slos if option.key == "slo" else ()
            return ", ".join(value or defaults)
        text = str(value or "")
        return without_credentials(text) or "" if "://" in text else text


def _parsed(option: Option, typed: str) -> Any:
    """The value as a command line would give it."""
    if option.is_flag:
        return option.parse(typed)
    return [part for part in _BETWEEN.split(typed.strip()) if part] if option.is_multiple else typed.strip()
