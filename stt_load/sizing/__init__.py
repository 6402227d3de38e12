"""From a run folder to a deployment: how many replicas, at what cost, on which machine. Shell; may import `report`."""
