import datetime
import django.db.models.deletion
import django_scheduled_tasks.db.constraints
import django_scheduled_tasks.db.fields
from django.conf import settings
from django.db import migrations, models


def forget_new_kinds(apps, schema_editor):
    """Delete the alerts of which the release before knows nothing."""
    connection = schema_editor.connection
    alerts = apps.get_model('django_scheduled_tasks', 'Alert').objects.using(connection.alias)
    alerts.filter(kind__in=['stale', 'deadline']).delete()
    connection.check_constraints()  # else PostgreSQL changes no table on which some are still to be checked


OLD_KINDS = ['failing', 'missed', 'no_scheduler', 'no_worker']
NEW_KINDS = ['failing', 'missed', 'stale', 'deadline', 'no_scheduler', 'no_worker']


def tell_broken_promises(apps, schema_editor):
    """Let the first rule of an installation, as long as nobody has changed its kinds, tell these as well."""
    _change_kinds(apps, schema_editor, OLD_KINDS, NEW_KINDS)


def tell_as_before(apps, schema_editor):
    """Undo it, and forget alerts of which the release before knows nothing."""
    _change_kinds(apps, schema_editor, NEW_KINDS, OLD_KINDS)
    forget_new_kinds(apps, schema_editor)


def _change_kinds(apps, schema_editor, old, new):
    rules = apps.get_model('django_scheduled_tasks', 'AlertRule').objects.using(schema_editor.connection.alias)
    rules.filter(name='Default', scope='all', kinds=old).update(kinds=new)


class Migration(migrations.Migration):

    dependencies = [
        ('django_scheduled_tasks', '0010_promises'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    # Alerts first: whoever has locked one may wait for the rules.
    operations = [
        migrations.RemoveConstraint(
            model_name='alert',
            name='dst_alert_kind_known',
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.CheckConstraint(condition=django_scheduled_tasks.db.constraints.OneOf('kind', values=['failing', 'missed', 'late', 'too_long', 'stale', 'deadline', 'paused_by_system', 'broken', 'no_scheduler', 'no_worker', 'stuck', 'held_copy', 'two_releases']), name='dst_alert_kind_known'),
        ),
        migrations.AddField(
            model_name='alert',
            name='closed_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='closed by'),
        ),
        migrations.AddField(
            model_name='alert',
            name='closed_by_hand',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='alert',
            name='comment',
            field=models.CharField(blank=True, db_default='', default='', max_length=500, verbose_name='comment'),
        ),
        migrations.AddField(
            model_name='alert',
            name='silence_reason',
            field=models.CharField(blank=True, db_default='', default='', max_length=200, verbose_name='reason of the silence'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='declared',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='margin',
            field=models.DurationField(blank=True, help_text='For how long a task may be due without starting until it counts as late. Empty: 5 minutes.', null=True, verbose_name='late after'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='quiet_from',
            field=models.TimeField(blank=True, help_text='In the time zone of the project.', null=True, verbose_name='quiet from'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='quiet_until',
            field=models.TimeField(blank=True, help_text='What opens meanwhile is told then, unless it is over by then.', null=True, verbose_name='quiet until'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='tell_at_once',
            field=django_scheduled_tasks.db.fields.TagsField(blank=True, db_default=models.Value(''), default=list, help_text='Kinds that are told in quiet hours as well.', max_length=300, verbose_name='told at once'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('margin__isnull', True), ('margin__gte', datetime.timedelta(seconds=60)), _connector='OR'), name='dst_rule_margin'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('quiet_from__isnull', True), ('quiet_until__isnull', True)), models.Q(('quiet_from__isnull', False), ('quiet_until__isnull', False), models.Q(('quiet_from', models.F('quiet_until')), _negated=True)), _connector='OR'), name='dst_rule_quiet_hours'),
        ),
        migrations.RunPython(tell_broken_promises, tell_as_before, elidable=False),
    ]
