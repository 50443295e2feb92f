import django_scheduled_tasks.db.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_scheduled_tasks', '0011_channels'),
    ]

    operations = [
        migrations.AddField(
            model_name='presence',
            name='ended_at',
            field=django_scheduled_tasks.db.fields.UtcDateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='presence',
            name='ending_at',
            field=django_scheduled_tasks.db.fields.UtcDateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='presence',
            name='host_time',
            field=django_scheduled_tasks.db.fields.UtcDateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='presence',
            name='processes',
            field=models.PositiveSmallIntegerField(null=True),
        ),
    ]
