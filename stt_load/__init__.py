"""stt-load: how many live callers does a streaming speech recognition server hold?

Importing this package opens nothing, reads nothing and patches nothing.
"""

__version__ = "0.1.0"
