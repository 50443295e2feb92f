from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_scheduled_tasks', '0014_audit'),
    ]

    operations = [
        migrations.AddField(
            model_name='scheduledtask',
            name='contact',
            field=models.CharField(blank=True, db_default='', default='', help_text='The person or team that is responsible for it.', max_length=200, verbose_name='contact'),
        ),
        migrations.AddField(
            model_name='scheduledtask',
            name='runbook',
            field=models.CharField(blank=True, db_default='', default='', help_text='What to do when it fails: a link, or a note (Markdown).', max_length=2000, verbose_name='runbook'),
        ),
    ]
