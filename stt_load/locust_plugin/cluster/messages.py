"""The names of what master and workers send each other through Locust."""

# Who comes in: before Locust hears of a worker, and again where a run has other options than the one before.
JOIN = "stt_join"  # worker → master: the program that it runs
WAIT = "stt_wait"  # master → worker: ask again, the clips are not ready yet
TERMS = "stt_terms"  # master → worker: the options of the run
EQUIPMENT = "stt_equipment"  # worker → master: what it has for a run with these options
WELCOME = "stt_welcome"  # master → worker: it is heard from now on
REFUSED = "stt_refused"  # master → worker: why it is not

# A run.
HELLO = "stt_hello"  # worker → master: the names of its user classes; which stage is on?
UPDATE = "stt_update"  # master → worker: a stage update, as JSON
UPDATE_OPTION = "stt_update"  # the same, as a hidden option that travels with every spawn message
SERVERS_OPTION = "stt_servers"  # which servers the master may show credentials, as another hidden option
DRAIN = "stt_drain"  # master → worker: begin no more utterances
DRAINED = "stt_drained"  # worker → master: none is in flight any more; the last rows
RECEIVED = "stt_received"  # master → worker: they are here
REPORT_KEY = "stt"  # our part of Locust's own worker report
