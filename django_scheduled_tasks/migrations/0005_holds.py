import django.db.models.deletion
import django_scheduled_tasks.db.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_scheduled_tasks', '0004_installation'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='scheduledtask',
            name='tags',
            field=django_scheduled_tasks.db.fields.TagsField(blank=True, db_default=models.Value(''), default=list, max_length=1400, verbose_name='tags'),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='stands_since',
            field=django_scheduled_tasks.db.fields.UtcDateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(max_length=16, verbose_name='what')),
                ('queue', models.CharField(blank=True, max_length=100, verbose_name='queue')),
                ('tag', models.CharField(blank=True, max_length=64, verbose_name='tag')),
                ('reason', models.CharField(max_length=500, verbose_name='reason')),
                ('starts_at', django_scheduled_tasks.db.fields.UtcDateTimeField(verbose_name='since')),
                ('until', django_scheduled_tasks.db.fields.UtcDateTimeField(null=True, verbose_name='until')),
                ('ended_at', django_scheduled_tasks.db.fields.UtcDateTimeField(null=True, verbose_name='ended')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('ended_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('task', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='holds', to='django_scheduled_tasks.scheduledtask', verbose_name='task')),
            ],
            options={
                'verbose_name': 'hold',
                'verbose_name_plural': 'holds',
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['ended_at', 'until'], name='dst_hold_lasting')],
                'constraints': [models.CheckConstraint(condition=models.Q(('scope__in', ['all', 'queue', 'tag', 'task'])), name='dst_hold_scope_known')],
            },
        ),
    ]
