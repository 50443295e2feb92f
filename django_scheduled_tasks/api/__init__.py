"""The REST API: thin over the services."""
