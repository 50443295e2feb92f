"""URLs of the tests."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/scheduled-tasks/", include("django_scheduled_tasks.api.urls")),
]
