"""Every text has its German; what matters most has all languages; nothing evades gettext."""

from __future__ import annotations

import ast
import gettext
import re
from collections import Counter

import pytest
from django.contrib import admin
from django.utils import translation
from django.utils.functional import Promise

from django_scheduled_tasks.admin.executions.list import filters as execution_filters
from django_scheduled_tasks.admin.tasks.form import form as forms
from django_scheduled_tasks.admin.tasks.list import filters as task_filters
from django_scheduled_tasks.admin.ui import dialogs
from django_scheduled_tasks.admin.ui.text import humanize
from django_scheduled_tasks.admin.ui.text import labels as words
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.schedules import describe, parse_schedule, warnings_for
from tests.translations import (
    COMPLETE,
    KEYWORDS,
    LANGUAGES,
    PACKAGE,
    PLACEHOLDER,
    Text,
    catalog,
    catalog_path,
    texts,
    texts_in,
)
from tests.translations import forms as forms_of

every_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(scope="module")
def all_texts() -> list[Text]:
    return texts()


def missing(language: str, wanted: list[Text]) -> list[str]:
    known = catalog(language)
    found = []
    for text in wanted:
        message = known.get(text.id, text.context)
        if message is None or message.fuzzy or not all(forms_of(message)):
            found.append(text.id)
    return found


def test_the_extraction_sees_code_and_templates(all_texts, tmp_path):
    assert len(all_texts) > 500
    ids = {text.id for text in all_texts}
    assert ids >= {"Run once", "Nothing is failing.", "Another one is open", "Every week"}
    (tmp_path / "page.html").write_text(
        '{% load i18n %}{% translate "Nobody\'s" context "of whom" %}\n'
        "  {% blocktranslate count n=items|length %}{{ n }} item{% plural %}{{ n }} items{% endblocktranslate %}"
    )
    assert list(texts_in(tmp_path / "page.html")) == [
        Text("Nobody's", context="of whom"),
        Text("%(n)s item", "%(n)s items"),
    ]


def test_no_text_hides_in_an_f_string():
    """Neither xgettext nor Python before 3.12 looks into one (PEP 701)."""
    hidden = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path in PACKAGE.rglob("*.py")
        for outer in ast.walk(ast.parse(path.read_text()))
        if isinstance(outer, ast.JoinedStr)
        for call in ast.walk(outer)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"_", *KEYWORDS}
    ]
    assert hidden == []


def test_german_is_complete(all_texts):
    assert missing(COMPLETE, all_texts) == []


@every_language
def test_nothing_is_kept_that_is_no_longer_said(language, all_texts):
    said = {(text.context, text.id) for text in all_texts}
    known = catalog(language)
    assert [message.id for message in known if message.id and (message.context, _single(message)) not in said] == []
    assert list(known.obsolete) == []


# --- what each language has ---------------------------------------------------------------------------------------

TRANSLATED = re.compile(r'{% translate "([^"]+)"')
WHOLE = (
    "lifecycle.py",
    "admin/ui/text/labels.py",
    "admin/ui/text/humanize.py",
    "admin/ui/messages.py",
    "admin/ui/live.py",
    "admin/tasks/list/filters.py",
    "admin/executions/list/filters.py",
)
"""Files of which everything is shown: statuses and sentences about them, messages, chips, filters."""


def buttons() -> set[str]:
    found = set()
    for path in (PACKAGE / "templates").rglob("*.html"):
        for element in re.finditer(r"<(button|a|summary)\b([^>]*)>(.*?)</\1>", path.read_text(), re.DOTALL):
            if element[1] == "button" or "dst-" in element[2]:
                found |= set(TRANSLATED.findall(element[0]))
        found |= set(TRANSLATED.findall(" ".join(re.findall(r"<input[^>]*submit[^>]*>", path.read_text()))))
    return found


def english(texts_: object) -> set[str]:
    with translation.override(None):
        return {str(text) for text in texts_ if isinstance(text, Promise)}  # type: ignore[attr-defined]


def labels() -> set[str]:
    """Return what statuses, states, triggers, choices, filters, columns, actions, models and fields are called."""
    found: list[object] = [word.label for word in (*words.STATUS_LABELS.values(), *words.STATE_LABELS.values())]
    found += [*words.TRIGGER_LABELS.values(), *execution_filters.STATUSES.values()]
    found += [label for label, _condition, empty in task_filters.STATES.values() for label in (label, empty)]
    for choices in (forms.KINDS, forms.OVERLAPS, forms.CATCH_UPS, forms.WORKER_LOST):
        found += choices.values()
    for form in (forms.ScheduledTaskForm, dialogs.RunOnceForm, dialogs.PauseForm):
        found += [field.label for field in form.declared_fields.values()]
    for model in (ScheduledTask, Execution):
        options = model._meta
        found += [options.verbose_name, options.verbose_name_plural]
        found += [field.verbose_name for field in options.concrete_fields]
        site = admin.site._registry[model]
        found += [getattr(site, name).short_description for name in (*site.list_display, *site.actions)]
        found += [item.title for item in site.list_filter]
    return english(found)


def test_the_lists_of_words_are_not_empty():
    assert buttons() >= {"Run once", "Cancel it", "Save and run once", "Show", "Copy", "Pause…"}
    assert labels() >= {"Worker lost", "Late", "Run once", "Recent", "Started by", "Pause selected…", "time limit"}


@every_language
def test_each_language_has_buttons_messages_statuses_and_columns(language, all_texts):
    wanted = buttons() | labels()
    assert not wanted - {text.id for text in all_texts}, "these do not go through gettext"
    shown = [text for text in all_texts if text.id in wanted or text.files & set(WHOLE)]
    assert missing(language, shown) == []


# --- translations are sound ---------------------------------------------------------------------------------------


@every_language
def test_placeholders_are_kept(language):
    for message in catalog(language):
        if not message.id or not any(forms_of(message)):
            continue
        single, *plural = (message.id,) if isinstance(message.id, str) else message.id
        for form in forms_of(message):
            placeholders = Counter(PLACEHOLDER.findall(form))
            if plural:  # the number itself may be left out where there is one only
                assert set(placeholders) <= set(PLACEHOLDER.findall(plural[0])), message.id
            else:
                assert placeholders == Counter(PLACEHOLDER.findall(single)), message.id
        if plural:
            assert Counter(PLACEHOLDER.findall(forms_of(message)[-1])) == Counter(PLACEHOLDER.findall(plural[0]))


@every_language
def test_each_plural_has_all_its_forms(language):
    known = catalog(language)
    for message in known:
        if message.pluralizable and any(forms_of(message)):
            assert len(forms_of(message)) == known.num_plurals, message.id
            assert all(forms_of(message)), message.id


@every_language
def test_the_compiled_files_are_in_step(language):
    with catalog_path(language, ".mo").open("rb") as file:
        compiled = dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
    compiled.pop("", None)
    written: dict[object, str] = {}
    for message in catalog(language):
        if not message.id or message.fuzzy or not all(forms_of(message)):
            continue
        key = f"{message.context}\x04{_single(message)}" if message.context else _single(message)
        if message.pluralizable:
            written |= {(key, number): form for number, form in enumerate(forms_of(message))}
        else:
            written[key] = forms_of(message)[0]
    assert compiled == written, "run make messages"


@every_language
def test_words_that_django_has_too_are_not_changed_for_the_rest_of_the_admin(language):
    """Catalogs of all apps are one: what we say for "All" the filters of other models say as well."""
    from django.contrib import auth

    roots = (PACKAGE.parent / "nowhere", *(_folder(module) for module in (admin, auth)))
    theirs: dict[str, str] = {}
    for root in roots:
        path = root / "locale" / language / "LC_MESSAGES" / "django.mo"
        if path.exists():
            with path.open("rb") as file:
                theirs |= gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    with catalog_path(language, ".mo").open("rb") as file:
        ours = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    changed = {key: (ours[key], theirs[key]) for key in ours.keys() & theirs.keys() if key and ours[key] != theirs[key]}
    assert changed == {}


def _folder(module: object) -> object:
    from pathlib import Path

    return Path(module.__file__).parent  # type: ignore[attr-defined]


def _single(message: object) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]  # type: ignore[attr-defined]


# --- sentences ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("0 3 * * 1-5", "Um 03:00, Montag bis Freitag"),
        ("*/15 * * * *", "Alle 15 Minuten"),
        ("0 8 * * 1", "Um 08:00, nur am Montag"),
        ("30 2 1 * *", "Um 02:30, Tag 1 des Monats"),
        ("0 18 L * *", "Um 18:00, am letzten Tag des Monats"),
        ("0 9 * * 1#2", "Um 09:00, am zweiten Montag des Monats"),
        ("0 9 * * 5L", "Um 09:00, am letzten Freitag des Monats"),
        ("0 0 24 12 *", "Um 00:00, am 24. Dezember"),
        ("5 */2 * * *", "Alle 2 Stunden, jeweils zur Minute 05"),
    ],
)
def test_a_schedule_in_german(expression, sentence):
    with translation.override("de"):
        assert describe(parse_schedule("cron", expression)) == sentence


def test_warnings_in_german():
    from datetime import UTC, datetime

    now = datetime(2026, 11, 24, tzinfo=UTC)
    with translation.override("de"):
        assert warnings_for(parse_schedule("cron", "* * * * *"), now=now) == ["1.440 am Tag."]
        (berlin,) = warnings_for(parse_schedule("cron", "30 2 * * *", timezone="Europe/Berlin"), now=now)
        assert berlin == (
            "Am So, 28. Mär 2027 überspringt die Uhr 02:30, daher läuft sie um 03:00."
            " Am 31. Okt 2027 kommt 02:30 zweimal vor; sie läuft einmal."
        )


@pytest.mark.parametrize(
    ("seconds", "ago"), [(5, "vor 5 Sek."), (60, "vor 1 Min."), (86_400, "vor 1 Tag"), (200_000, "vor 2 Tagen")]
)
def test_distances_in_german(seconds, ago):
    from datetime import UTC, datetime, timedelta

    now = datetime(2026, 11, 24, tzinfo=UTC)
    with translation.override("de"):
        assert humanize.distance_text(now - timedelta(seconds=seconds), now) == ago
        assert humanize.duration_text(8.04) == "8,0 s"


def test_the_wheel_has_them(tmp_path):
    import subprocess
    import sys
    from zipfile import ZipFile

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=PACKAGE.parent,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(ZipFile(wheel).namelist())
    for language in LANGUAGES:
        for suffix in (".po", ".mo"):
            assert catalog_path(language, suffix).relative_to(PACKAGE.parent).as_posix() in names
