"""The scheduler: turns occurrences into executions, and keeps the promises when something died."""
