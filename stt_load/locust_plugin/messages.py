"""The names of what master and workers send each other through Locust."""

HELLO = "stt_hello"  # worker → master: which stage is on?
UPDATE = "stt_update"  # master → worker: a stage update, as JSON
UPDATE_OPTION = "stt_update"  # the same, as a hidden option that travels with every spawn message
SERVERS_OPTION = "stt_servers"  # which servers the master may show credentials, as another hidden option
DRAIN = "stt_drain"  # master → worker: begin no more utterances
DRAINED = "stt_drained"  # worker → master: none is in flight any more; the last rows
RECEIVED = "stt_received"  # master → worker: they are here
REPORT_KEY = "stt"  # our part of Locust's own worker report
