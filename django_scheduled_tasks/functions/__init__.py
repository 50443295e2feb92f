"""What may run beside plain functions: management commands, and tasks of Celery and of Django's Tasks framework."""
