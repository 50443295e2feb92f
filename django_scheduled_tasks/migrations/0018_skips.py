from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("django_scheduled_tasks", "0017_started_by"),
    ]

    operations = [
        migrations.AddField(
            model_name="scheduledtask",
            name="skips",
            field=models.JSONField(blank=True, editable=False, null=True, verbose_name="skipped runs"),
        ),
    ]
