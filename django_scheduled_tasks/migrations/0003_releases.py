import django_scheduled_tasks.db.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_scheduled_tasks', '0002_secret_params'),
    ]

    operations = [
        migrations.CreateModel(
            name='Release',
            fields=[
                ('key', models.CharField(max_length=16, primary_key=True, serialize=False)),
                ('name', models.CharField(blank=True, max_length=100, verbose_name='release')),
                ('functions', models.JSONField(default=dict)),
                ('declared', models.JSONField(default=dict)),
                ('schedule_kinds', models.JSONField(default=list)),
                ('versions', models.JSONField(default=dict)),
                ('first_seen_at', django_scheduled_tasks.db.fields.UtcDateTimeField()),
            ],
            options={
                'verbose_name': 'release',
                'verbose_name_plural': 'releases',
            },
        ),
        migrations.AddField(
            model_name='attempt',
            name='release',
            field=models.CharField(blank=True, db_default='', default='', max_length=16),
        ),
        migrations.AddField(
            model_name='execution',
            name='given_back',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='execution',
            name='release',
            field=models.CharField(blank=True, db_default='', default='', max_length=16),
        ),
        migrations.AddField(
            model_name='presence',
            name='release',
            field=models.CharField(blank=True, db_default='', default='', max_length=16),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='declared_at',
            field=django_scheduled_tasks.db.fields.UtcDateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='declared_release',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=16),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='pause_code',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=32),
        ),
    ]
