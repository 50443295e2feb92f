import datetime
import django.db.models.deletion
import django_scheduled_tasks.db.constraints
import django_scheduled_tasks.db.fields
from django.conf import settings
from django.db import migrations, models, router


def make_default_rule(apps, schema_editor):
    """Tell ADMINS, so that a new installation is covered without a click."""
    alias = schema_editor.connection.alias
    channels = apps.get_model('django_scheduled_tasks', 'Channel')
    if not router.allow_migrate_model(alias, channels):
        return
    channel = channels.objects.using(alias).create(name='ADMINS by mail', kind='mail')
    rule = apps.get_model('django_scheduled_tasks', 'AlertRule').objects.using(alias).create(
        name='Default', kinds=['failing', 'missed', 'no_scheduler', 'no_worker']
    )
    rule.channels.add(channel)


class Migration(migrations.Migration):

    dependencies = [
        ('django_scheduled_tasks', '0007_changes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=20, verbose_name='kind')),
                ('task_name', models.CharField(blank=True, max_length=64, verbose_name='task')),
                ('queue', models.CharField(blank=True, max_length=100, verbose_name='queue')),
                ('opened_at', django_scheduled_tasks.db.fields.UtcDateTimeField(verbose_name='since')),
                ('closed_at', django_scheduled_tasks.db.fields.UtcDateTimeField(null=True, verbose_name='closed')),
                ('open_key', models.CharField(max_length=191, null=True)),
                ('count', models.PositiveIntegerField(default=1, verbose_name='how often')),
                ('first_execution', models.BigIntegerField(null=True)),
                ('latest_execution', models.BigIntegerField(null=True)),
                ('latest_at', django_scheduled_tasks.db.fields.UtcDateTimeField(null=True)),
                ('closing_execution', models.BigIntegerField(null=True)),
                ('limit', models.DurationField(null=True)),
                ('acknowledged_at', django_scheduled_tasks.db.fields.UtcDateTimeField(null=True, verbose_name='acknowledged')),
                ('silenced_until', django_scheduled_tasks.db.fields.UtcDateTimeField(null=True, verbose_name='silent until')),
            ],
            options={
                'verbose_name': 'alert',
                'verbose_name_plural': 'alerts',
                'ordering': ('-id',),
                'default_permissions': ('view', 'change'),
            },
        ),
        migrations.CreateModel(
            name='AlertRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('scope', models.CharField(choices=[('all', 'all'), ('tag', 'tag'), ('task', 'task')], default='all', max_length=16, verbose_name='tasks')),
                ('tag', models.CharField(blank=True, max_length=64, verbose_name='tag')),
                ('kinds', django_scheduled_tasks.db.fields.TagsField(blank=True, db_default=models.Value(''), default=list, max_length=300, verbose_name='kinds')),
                ('after', models.PositiveSmallIntegerField(default=1, help_text='Attempts that are retried do not count: only final failures.', verbose_name='after failures in a row')),
                ('closes_after', models.PositiveSmallIntegerField(default=1, verbose_name='closes after successes')),
                ('remind_every', models.DurationField(blank=True, help_text='While the alert is open and nobody has acknowledged it. Empty: never.', null=True, verbose_name='remind every')),
            ],
            options={
                'verbose_name': 'alert rule',
                'verbose_name_plural': 'alert rules',
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('kind', models.CharField(choices=[('mail', 'mail'), ('webhook', 'webhook')], max_length=16, verbose_name='kind')),
                ('address', models.CharField(blank=True, help_text='Mail addresses with commas between them (empty: those of ADMINS), or the URL of a webhook.', max_length=500, verbose_name='address')),
                ('secret_name', models.CharField(blank=True, help_text='The setting or environment variable that holds the secret by which a webhook is signed.', max_length=100, verbose_name='name of the secret')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
            ],
            options={
                'verbose_name': 'channel',
                'verbose_name_plural': 'channels',
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event', models.CharField(max_length=16)),
                ('number', models.PositiveIntegerField(default=0)),
                ('created_at', django_scheduled_tasks.db.fields.UtcDateTimeField()),
                ('message', models.CharField(blank=True, max_length=36)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('next_try_at', django_scheduled_tasks.db.fields.UtcDateTimeField(null=True)),
                ('sent_at', django_scheduled_tasks.db.fields.UtcDateTimeField(null=True)),
                ('answer', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'verbose_name': 'notice',
                'verbose_name_plural': 'notices',
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='alert',
            name='acknowledged_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='acknowledged by'),
        ),
        migrations.AddField(
            model_name='alert',
            name='task',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='alerts', to='django_scheduled_tasks.scheduledtask', verbose_name='task'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='task',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='alert_rules', to='django_scheduled_tasks.scheduledtask', verbose_name='task'),
        ),
        migrations.AddConstraint(
            model_name='channel',
            constraint=models.CheckConstraint(condition=django_scheduled_tasks.db.constraints.OneOf('kind', values=['mail', 'webhook']), name='dst_channel_kind_known'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='channels',
            field=models.ManyToManyField(related_name='rules', to='django_scheduled_tasks.channel', verbose_name='channels'),
        ),
        migrations.AddField(
            model_name='notice',
            name='alert',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='django_scheduled_tasks.alert', verbose_name='alert'),
        ),
        migrations.AddField(
            model_name='notice',
            name='channel',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='django_scheduled_tasks.channel', verbose_name='channel'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['task', 'kind', '-id'], name='dst_alert_task'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['closed_at'], name='dst_alert_closed'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.UniqueConstraint(fields=('open_key',), name='dst_alert_open_once'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', False), ('open_key__isnull', True)), models.Q(('closed_at__isnull', True), ('open_key__isnull', False)), _connector='OR'), name='dst_alert_open_or_closed'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.CheckConstraint(condition=django_scheduled_tasks.db.constraints.OneOf('kind', values=['failing', 'missed', 'late', 'too_long', 'paused_by_system', 'broken', 'no_scheduler', 'no_worker', 'stuck', 'held_copy', 'two_releases']), name='dst_alert_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=django_scheduled_tasks.db.constraints.OneOf('scope', values=['all', 'tag', 'task']), name='dst_rule_scope_known'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('after__gte', 1), ('closes_after__gte', 1), models.Q(('remind_every__isnull', True), ('remind_every__gte', datetime.timedelta(seconds=60)), _connector='OR')), name='dst_rule_limits'),
        ),
        migrations.AddIndex(
            model_name='notice',
            index=models.Index(fields=['next_try_at'], name='dst_notice_to_send'),
        ),
        migrations.AddConstraint(
            model_name='notice',
            constraint=models.UniqueConstraint(fields=('alert', 'channel', 'event', 'number'), name='dst_notice_once'),
        ),
        migrations.AddConstraint(
            model_name='notice',
            constraint=models.CheckConstraint(condition=django_scheduled_tasks.db.constraints.OneOf('event', values=['opened', 'counted', 'reminder', 'closed']), name='dst_notice_event_known'),
        ),
        migrations.RunPython(make_default_rule, migrations.RunPython.noop, elidable=False),
    ]
