"""Shell. The parts that Locust calls: hooks, user, shape, master, worker. Nothing else here imports Locust."""
