import django.db.models.deletion
import django_scheduled_tasks.db.fields
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_scheduled_tasks', '0003_releases'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='scheduledtask',
            name='environments',
            field=django_scheduled_tasks.db.fields.TagsField(blank=True, db_default=models.Value(''), default=list, help_text='It runs by schedule in these only; empty: in all.', max_length=500, verbose_name='environments'),
        ),
        migrations.CreateModel(
            name='Installation',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('uuid', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False)),
                ('environment', models.CharField(blank=True, max_length=100, verbose_name='environment')),
                ('signature', models.CharField(max_length=64)),
                ('address', models.CharField(blank=True, max_length=255, verbose_name='database address')),
                ('system_identifier', models.CharField(blank=True, max_length=64)),
                ('adopted_at', django_scheduled_tasks.db.fields.UtcDateTimeField(verbose_name='adopted at')),
                ('adopted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('held_at', django_scheduled_tasks.db.fields.UtcDateTimeField(null=True)),
                ('copy_key', models.CharField(blank=True, db_default='', default='', max_length=16)),
                ('copy_after', models.BigIntegerField(null=True)),
                ('moved_from', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('moved_at', django_scheduled_tasks.db.fields.UtcDateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'installation',
                'verbose_name_plural': 'installations',
                'permissions': (('adopt_installation', 'Can say that this database is at home here'),),
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='dst_installation_single')],
            },
        ),
    ]
