"""Shell. Connections to servers under test: TCP, TLS, websockets, HTTP, kernel timestamps. Imports `session`."""
