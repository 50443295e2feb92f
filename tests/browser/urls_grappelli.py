"""The URLs of the tests with those that django-grappelli needs."""

from django.urls import include, path

from tests.urls import urlpatterns as ours

urlpatterns = [path("grappelli/", include("grappelli.urls")), *ours]
