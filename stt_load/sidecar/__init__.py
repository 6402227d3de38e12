"""Shell. The client of GPU sidecars, and a sidecar that this program starts itself. Imports no Locust."""
