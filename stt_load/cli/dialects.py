"""`stt-load dialects`: what it can speak."""

from __future__ import annotations

import click

from stt_load.dialects.registry import DIALECTS


@click.command()
@click.argument("name", required=False, type=click.Choice(list(DIALECTS)))
def command(name: str | None) -> None:
    """What stt-load can speak; with NAME, what it knows of that server."""
    if name is None:
        for row in DIALECTS.values():
            click.echo(f"{row.name:<12} {row.default_url:<28} {row.summary}")
        return
    row = DIALECTS[name]
    capabilities = row.capabilities
    facts = {
        "summary": row.summary,
        "default URL": row.default_url,
        "audio": f"int16 mono, {capabilities.sample_rate_hz} Hz",
        "frames": f"multiples of {capabilities.frame_multiple_bytes} bytes",
        "utterances end by": " or ".join(capabilities.ends),
        "silence needed": f"{capabilities.min_trailing_silence_s:g} s after the clip",
        "ready message": "yes" if capabilities.has_ready else "no",
    }
    for label, fact in facts.items():
        click.echo(f"{label:<18} {fact}")
