"""Shell. Connections to servers under test: TCP, TLS, websockets, HTTP, kernel receive timestamps. Imports `session`."""
