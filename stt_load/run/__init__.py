"""Shell. One run from its first stage to its report: plan, controller, ledger, caller pool. Imports no Locust."""
