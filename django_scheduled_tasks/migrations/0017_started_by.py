import django_scheduled_tasks.db.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    """In a transaction of its own: while the index is made, the table can be read."""

    dependencies = [
        ('django_scheduled_tasks', '0016_history'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='execution',
            index=django_scheduled_tasks.db.indexes.PartialIndex(fields=['triggered_by', '-id'], name='dst_exec_person_newest', where=models.Q(('triggered_by__isnull', False))),
        ),
    ]
