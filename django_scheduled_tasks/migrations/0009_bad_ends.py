import django_scheduled_tasks.db.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    """In a transaction of its own: with locks on tasks and executions it would wait for processes that wait for it."""

    dependencies = [
        ('django_scheduled_tasks', '0008_alerts'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='execution',
            index=django_scheduled_tasks.db.indexes.PartialIndex(fields=['completed_at'], name='dst_exec_bad_end', where=models.Q(('outcome__in', ('failed', 'missed', 'timed_out', 'worker_lost')))),
        ),
    ]
