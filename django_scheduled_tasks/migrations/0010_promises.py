import django_scheduled_tasks.db.fields
import django_scheduled_tasks.db.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    """In a transaction of its own: with locks on tasks and alerts it would wait for processes that wait for it."""

    dependencies = [
        ('django_scheduled_tasks', '0009_bad_ends'),
    ]

    operations = [
        migrations.AddField(
            model_name='scheduledtask',
            name='expected_since',
            field=django_scheduled_tasks.db.fields.UtcDateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='must_finish_by',
            field=models.TimeField(blank=True, help_text='Without a success by this time of its day, in its time zone, it is an alert.', null=True, verbose_name='must finish by'),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='must_succeed_every',
            field=models.DurationField(blank=True, help_text='Without a success for so long it is an alert, whatever the reason.', null=True, verbose_name='must succeed every'),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='own_rules_only',
            field=models.BooleanField(db_default=False, default=False, help_text='Rules for all tasks, or for a tag, tell nobody of it.', verbose_name='only its own alert rules'),
        ),
        migrations.AddIndex(
            model_name='scheduledtask',
            index=django_scheduled_tasks.db.indexes.PartialIndex(fields=['must_succeed_every'], name='dst_task_succeeds', where=models.Q(('must_succeed_every__isnull', False))),
        ),
        migrations.AddIndex(
            model_name='scheduledtask',
            index=django_scheduled_tasks.db.indexes.PartialIndex(fields=['must_finish_by', 'timezone'], name='dst_task_finishes', where=models.Q(('must_finish_by__isnull', False))),
        ),
    ]
