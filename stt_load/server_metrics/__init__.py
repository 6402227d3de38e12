"""What a server says of itself in Prometheus text: what is kept of it, and its figures in a hold."""
