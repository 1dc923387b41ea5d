"""The business date begins on the day on which the lender's database is made."""

from django.db import migrations
from django.utils import timezone


def begin(apps, schema_editor):
    now = timezone.now()
    apps.get_model("loans", "BusinessDay").objects.get_or_create(
        id=1, defaults={"current_date": timezone.localdate(now), "advanced_at": now}
    )


class Migration(migrations.Migration):
    dependencies = [("loans", "0001_initial")]
    operations = [migrations.RunPython(begin, migrations.RunPython.noop)]
