from django.apps import AppConfig


class ShopConfig(AppConfig):
    """The app of the project that is upgraded."""

    name = "tests.upgrade.shop"
    label = "shop"
