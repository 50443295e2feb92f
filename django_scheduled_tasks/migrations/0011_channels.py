import django_scheduled_tasks.db.fields
from django.db import migrations, models

FORMER = ['mail', 'webhook']


def leave_former_kinds(apps, schema_editor):
    """Before the way back: what the former code does not know becomes a channel that is switched off."""
    rows = apps.get_model('django_scheduled_tasks', 'Channel').objects.using(schema_editor.connection.alias)
    rows.exclude(kind__in=FORMER).update(kind='webhook', enabled=False)


class Migration(migrations.Migration):

    dependencies = [
        ('django_scheduled_tasks', '0010_alert_terms'),
    ]

    operations = [
        migrations.RemoveConstraint(model_name='channel', name='dst_channel_kind_known'),
        migrations.RunPython(migrations.RunPython.noop, leave_former_kinds, elidable=True),
        migrations.AddField(
            model_name='channel',
            name='failed_tries',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='channel',
            name='failing_since',
            field=django_scheduled_tasks.db.fields.UtcDateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='channel',
            name='last_answer',
            field=models.CharField(blank=True, db_default='', default='', max_length=200),
        ),
        migrations.AlterField(
            model_name='channel',
            name='address',
            field=models.CharField(blank=True, help_text='Mail: addresses with commas between them, or empty for those of ADMINS. Webhook: its URL. Otherwise empty.', max_length=500, verbose_name='address'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='kind',
            field=models.CharField(max_length=16, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='secret_name',
            field=models.CharField(blank=True, help_text='The setting or environment variable that holds the secret by which a webhook is signed, or the URL for apprise. Never the secret itself.', max_length=100, verbose_name='name of the secret'),
        ),
        migrations.AddConstraint(
            model_name='channel',
            constraint=models.CheckConstraint(condition=models.Q(('kind', ''), _negated=True), name='dst_channel_has_kind'),
        ),
    ]
