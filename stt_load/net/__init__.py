"""Shell. Connections to servers under test: TCP, TLS, websockets, gRPC, HTTP, kernel timestamps. Imports `session`."""
