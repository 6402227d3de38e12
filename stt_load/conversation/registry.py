"""Every server that stt-load can converse with: one row each."""

from __future__ import annotations

from stt_load.conversation.audiosocket import AudioSocketConversation
from stt_load.conversation.dialect import ConversationRow
from stt_load.conversation.realtime import RealtimeConversation, SpeachesConversation
from stt_load.conversation.twilio import TwilioConversation

CONVERSATIONS: dict[str, ConversationRow] = {
    row.name: row
    for row in (
        ConversationRow(
            name="conversation-openai",
            summary="OpenAI Realtime and its likes, vLLM-Omni too, beta and GA: speech in, speech out",
            default_url="wss://api.openai.com/v1/realtime",
            homepage="https://developers.openai.com/api/docs/guides/realtime",
            dialect=RealtimeConversation,
        ),
        ConversationRow(
            name="conversation-speaches",
            summary="speaches, /v1/realtime: speech in, speech out, by its own recogniser, LLM and voice",
            default_url="ws://localhost:8000/v1/realtime",
            homepage="https://github.com/speaches-ai/speaches",
            dialect=SpeachesConversation,
        ),
        ConversationRow(
            name="conversation-twilio",
            summary="A voice agent that Twilio Media Streams call, as of pipecat: µ-law of a call in and out",
            default_url="ws://localhost:5050/media-stream",
            homepage="https://www.twilio.com/docs/voice/media-streams/websocket-messages",
            dialect=TwilioConversation,
        ),
        ConversationRow(
            name="conversation-audiosocket",
            summary="A voice agent that Asterisk calls by AudioSocket: int16 over TCP in and out",
            default_url="tcp://localhost:9092",
            homepage="https://docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket/",
            dialect=AudioSocketConversation,
        ),
    )
}
