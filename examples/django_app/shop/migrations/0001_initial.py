"""Both tables."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The first one."""

    initial = True
    operations = (
        migrations.CreateModel(
            name="Order",
            fields=[("id", models.BigAutoField(primary_key=True)), ("email", models.EmailField(max_length=254))],
        ),
        migrations.CreateModel(
            name="Report",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("every", models.CharField(help_text="10 minutes, 1 day ...", max_length=50)),
                ("at", models.CharField(blank=True, help_text="06:00, or nothing", max_length=50, null=True)),
                ("enabled", models.BooleanField(default=True)),
            ],
        ),
    )
