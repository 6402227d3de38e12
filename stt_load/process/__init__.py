"""What every process of ours shares: how it ends, where it prints and logs, how it writes files. Imports errors and
text alone."""
