"""What each server speaks: one file a server, one row in `registry.DIALECTS`."""
