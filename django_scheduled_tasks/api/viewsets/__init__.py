"""The calls: thin over the services."""
