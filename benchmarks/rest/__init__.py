"""What a trigger and a status cost over REST, next to bare views of DRF: one that creates a row, one that reads one.

``python -m benchmarks.rest [--rounds 3] [--seconds 10] [--executions 0,1000000] [--json FILE] [--quick]``. gunicorn
with two workers on a PostgreSQL and a Redis that the benchmark starts itself, four clients that keep their connections,
one token for all. No worker of tasks runs. In each round one call after the other is measured: as a superuser, and as
an operator, whose permissions are read from the database at each request, by two statements, by the bare views too. A
trigger locks its task for a moment; "4 tasks" has one for each client.
"""
