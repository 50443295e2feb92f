"""Which names say that a value is secret."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_scheduled_tasks.parameters import MASK, Parameters, sounds_secret

SECRET = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "db_password",
    "dbPassword",
    "DB_PASSWORD",
    "smtpPass",
    "smtp_pass",
    "passwords",
    "password2",
    "token",
    "access_token",
    "accessToken",
    "X-Auth-Token",
    "authtoken",
    "refreshtoken",
    "tokens",
    "secret",
    "client_secret",
    "clientsecret",
    "credential",
    "credentials",
    "creds",
    "pin",
    "PIN",
    "card_pin",
    "auth",
    "basic_auth",
    "Authorization",
    "authorization",
    "auth_header",
    "cookie",
    "Set-Cookie",
    "sessionid",
    "session_id",
    "private_key",
    "privateKey",
    "privatekey",
    "api_key",
    "apiKey",
    "APIKey",
    "apikey",
    "X-API-KEY",
    "access_key",
    "AWS_SECRET_ACCESS_KEY",
    "signing_key",
    "key",
    "keys",
    "stripe_key",
    "ssh_key",
    "jwt",
    "bearer",
    "csrf",
    "otp",
    "dsn",
    "connection_string",
    "connectionString",
    "DATABASE_URL",
]
HARMLESS = [
    "author",
    "authority",
    "spinner",
    "opinion",
    "monkey",
    "keyboard",
    "keyword",
    "turkey",
    "pine",
    "compass",
    "passenger",
    "passed",
    "secretary",
    "tokenizer",
    "cookiecutter",
    "credence",
    "user",
    "url",
    "host",
    "dns",
    "max_tokens",
    "token_count",
    "token_type",
    "key_file",
    "password_length",
    "primary_key",
    "cache_key",
    "public_key",
    "sort_key",
    "auth_method",
    "cookie_name",
    "connection",
    "database",
    "session",
]


@pytest.mark.parametrize("name", SECRET)
def test_a_name_with_a_word_for_a_secret_is_one(name):
    assert sounds_secret(name)
    assert sounds_secret("x" * 200 + "_" + name)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_word_that_has_another_one_in_it_is_none(name):
    assert not sounds_secret(name)


def test_a_setting_adds_names(settings):
    def function(iban: str = "DE02", hook: dict[str, str] | None = None) -> None: ...

    parameters = Parameters(function, "shop.pay")
    params = {"iban": "DE02", "hook": {"webhookUrl": "https://h", "webhook": "x", "url": "y"}}
    assert parameters.mask(params) == params
    assert parameters.json_schema["properties"]["iban"]["default"] == "DE02"
    names = {"SECRET_NAMES": ("iban", "webhook_url")}
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | names
    assert parameters.mask(params) == {"iban": MASK, "hook": {"webhookUrl": MASK, "webhook": "x", "url": "y"}}
    assert "default" not in parameters.json_schema["properties"]["iban"]


@pytest.mark.parametrize("names", [["iban"], "iban", ("iban", 3)])
def test_the_setting_takes_texts_only(settings, names):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"SECRET_NAMES": names}
    with pytest.raises(ImproperlyConfigured, match="SECRET_NAMES"):
        sounds_secret("iban")
