"""Our code inside the worker."""
