import django_scheduled_tasks.db.fields
import django_scheduled_tasks.db.indexes
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_scheduled_tasks', '0018_skips'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='scheduledtask',
            name='delete_when_done',
            field=models.BooleanField(db_default=False, default=False, help_text='It is deleted, with its history, when nothing of it is left to run.', verbose_name='delete when done'),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='key',
            field=django_scheduled_tasks.db.fields.ExactCharField(blank=True, editable=False, max_length=255, null=True, verbose_name='key'),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='owner_id',
            field=django_scheduled_tasks.db.fields.ExactCharField(blank=True, db_default='', default='', editable=False, max_length=255),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='owner_type',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=200),
        ),
        migrations.AddIndex(
            model_name='scheduledtask',
            index=models.Index(fields=['owner_type', 'owner_id'], name='dst_task_owner'),
        ),
        migrations.AddIndex(
            model_name='scheduledtask',
            index=django_scheduled_tasks.db.indexes.PartialIndex(fields=['function'], name='dst_task_keyed', where=models.Q(('key__isnull', False))),
        ),
        migrations.AddIndex(
            model_name='scheduledtask',
            index=django_scheduled_tasks.db.indexes.PartialIndex(fields=['delete_when_done', 'next_run_at'], name='dst_task_when_done', where=models.Q(('delete_when_done', True))),
        ),
        migrations.AddConstraint(
            model_name='scheduledtask',
            constraint=models.UniqueConstraint(fields=('key',), name='dst_task_key_once'),
        ),
    ]
