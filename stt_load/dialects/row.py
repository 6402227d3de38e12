"""One row of the registry: a dialect as the command line, the reports and the docs know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.dialects.base import Capabilities, Dialect, Settings
from stt_load.dialects.options import DialectOption, parse_dialect_options


@dataclass(frozen=True, slots=True, kw_only=True)
class DialectRow:
    """What everybody but the session knows of a dialect.

    `summary`: the server, what it takes and what it answers, in one line. `default_url`: where it is dialled unless
    `--stt-url` says otherwise. `homepage`: where its server is described. `dialect`: the class that speaks it; every
    connection gets an object of its own.
    """

    name: str
    summary: str
    default_url: str
    dialect: type[Dialect]
    homepage: str = ""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do with every option at its default."""
        return self.dialect().capabilities

    @property
    def url_schemes(self) -> tuple[str, ...]:
        """What the server's URL may begin with."""
        return self.dialect.carrier.schemes

    @property
    def options(self) -> tuple[DialectOption, ...]:
        return self.dialect.options

    @property
    def takes_key(self) -> bool:
        return self.dialect.takes_key

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        return self.dialect.unconfirmed

    def facts(self) -> dict[str, str]:
        """What `stt-load dialects NAME` says about the server, by label."""
        able = self.capabilities
        multiple = able.frame_multiple_bytes
        any_size = able.frame_lengths or "any size"
        facts = {
            "audio": f"{able.encoding} mono, {able.sample_rate_hz} Hz",
            "frames": any_size if multiple == 2 else f"multiples of {multiple} bytes",
            "utterances end by": " or ".join(able.ends) + (", the first by default" if len(able.ends) > 1 else ""),
            "silence": f"{able.trailing_silence_s:g} s after the clip where the server ends the utterance, "
            f"{able.min_trailing_silence_s:g} s at the least",
            "a connection": "carries many utterances" if able.many_utterances else "carries one utterance",
            "ready message": "yes" if able.has_ready else "no",
        }
        if self.dialect.codecs:
            facts["telephone"] = f"takes {' and '.join(self.dialect.codecs)} on the wire (--codec)"
        if self.homepage:
            facts = {"homepage": self.homepage, **facts}
        if able.counts_segments and "client" not in able.ends:
            facts["clips with pauses"] = (
                f"nothing says which text is the last: where the server passes over a pause, or is behind, a caller "
                f"waits for {able.quiet_s:g} s and more without speaking (duty cycle)"
            )
        if "server" not in able.ends:
            del facts["silence"]
        return facts

    def make(self, settings: Settings) -> Dialect:
        """A fresh dialect for one connection."""
        return self.dialect(settings)

    def parse_options(self, given: Sequence[str]) -> dict[str, Any]:
        """`KEY=VALUE` texts → parsed values, defaults filled in. Raises ConfigError with every problem."""
        return parse_dialect_options(self.name, self.options, given)
