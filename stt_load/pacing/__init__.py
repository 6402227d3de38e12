"""Shell. The loop that hands over the audio of all callers of a process when it is due. Imports `session` and `net`."""
