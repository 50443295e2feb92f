
import django.db.models.deletion
import django_scheduled_tasks.db.fields
import django_scheduled_tasks.lifecycle
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_scheduled_tasks', '0021_rollup'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Calendar',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(max_length=40, unique=True, verbose_name='name')),
                ('zone', models.CharField(default='UTC', max_length=64, verbose_name='time zone')),
                ('definition', models.JSONField(blank=True, default=dict, verbose_name='definition')),
                ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                ('origin', models.CharField(default=django_scheduled_tasks.lifecycle.Origin['ADMIN'], editable=False, max_length=16)),
                ('updated_at', django_scheduled_tasks.db.fields.UtcDateTimeField(editable=False, verbose_name='updated at')),
            ],
            options={
                'verbose_name': 'calendar',
                'verbose_name_plural': 'calendars',
                'ordering': ('name',),
            },
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='calendar_stamps',
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='calendars',
            field=django_scheduled_tasks.db.fields.TagsField(blank=True, db_default=models.Value(''), default=list, help_text='It does not run on the days and at the hours that they exclude.', max_length=500, verbose_name='calendars'),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='calendars_since',
            field=django_scheduled_tasks.db.fields.UtcDateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='on_excluded',
            field=models.CharField(db_default='skip', default=django_scheduled_tasks.lifecycle.OnExcluded['SKIP'], help_text='What becomes of a run that falls on an excluded day or hour.', max_length=16, verbose_name='an excluded run'),
        ),
        migrations.AddConstraint(
            model_name='scheduledtask',
            constraint=models.CheckConstraint(condition=models.Q(('on_excluded__in', ['skip', 'next_allowed', 'previous_allowed', 'delay'])), name='dst_task_on_excluded_known'),
        ),
        migrations.AddField(
            model_name='calendar',
            name='updated_by',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
    ]
