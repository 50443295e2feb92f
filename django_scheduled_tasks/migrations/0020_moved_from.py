from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("django_scheduled_tasks", "0019_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="scheduledtask",
            name="moved_from",
            field=models.CharField(editable=False, max_length=255, null=True, unique=True),
        ),
    ]
