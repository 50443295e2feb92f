"""The form for parameters: what it says about each, and where it says what is wrong."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal

import pytest
from django.contrib.auth import get_user_model
from pydantic import BaseModel, Field, SecretStr

from django_scheduled_tasks import ModelKey
from django_scheduled_tasks.admin.tasks.form import parameters
from django_scheduled_tasks.admin.tasks.form.parameters import ParametersForm
from django_scheduled_tasks.declarations import RegisteredFunction
from tests.admin.pages import FORM, TASKS
from tests.factories import EDITOR, OPERATOR, make_task, make_user

SECRET = SecretStr("sesam")


class Address(BaseModel):
    street: str
    size: Literal["s", "m"] = "s"


def bill(
    month: Annotated[str, Field(description="Which month", examples=["2026-11", "2026-12"])],
    count: Annotated[int, Field(ge=1, le=12, description="How many?")] = 3,
    share: Annotated[float | None, Field(gt=0, lt=1)] = None,
    name: Annotated[str, Field(min_length=2, max_length=9)] = "anna",
    numbers: Annotated[list[int], Field(max_length=5)] = [1],  # noqa: B006
    address: Address | None = None,
    wait: dt.timedelta = dt.timedelta(seconds=90),
    moment: dt.datetime | None = None,
    customer: Annotated[int | None, ModelKey("AUTH.user")] = None,
    nobody: Annotated[str, ModelKey("shop.Nobody")] = "",
    token: Annotated[SecretStr, Field(description="Of the bank", examples=["geheim"])] = SECRET,
) -> None:
    """Has everything."""


@pytest.fixture
def billing(monkeypatch):
    monkeypatch.setattr(parameters, "_registered", lambda _name: RegisteredFunction(bill))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("month", "Which month. Such as 2026-11, 2026-12. No default: this function needs it."),
        ("count", "How many? From 1 to 12. Default: 3"),
        ("share", "More than 0. Less than 1."),
        ("name", "2 to 9 characters. Default: anna"),
        ("numbers", "At most 5 items. A list as JSON, such as [1]. Default: [1]"),
        ("address", 'An object as JSON, such as {"street": "…", "size": "s"}.'),
        ("wait", "A duration: seconds, such as 90, or 01:30:00, or PT1H30M. Default: PT1M30S"),
        ("moment", "A date and a time, such as 2026-03-20T23:00:00+01:00."),
        ("token", "Of the bank."),
    ],
)
def test_a_parameter_says_what_it_is_for_what_it_may_be_and_how_it_is_written(billing, name, said):
    form = ParametersForm("bill", {})
    assert form.fields[f"p-{name}"].help_text == said


def test_required_ones_are_bold_and_numbers_know_their_bounds(billing):
    html = ParametersForm("bill", {}).as_html()
    assert re.findall(r'<label for="id_param-p-(\w+)" class="required">', html) == ["month"]
    assert re.search(r'<input type="number" name="param-p-count" [^>]*min="1" max="12"', html)
    assert "geheim" not in html
    assert "sesam" not in html


def test_the_key_of_a_model_is_chosen_from_the_list_of_the_admin(billing):
    html = ParametersForm("bill", {"customer": 7}).as_html()
    user = get_user_model()._meta
    if user.label_lower == "auth.user":
        link = f'href="/admin/{user.app_label}/{user.model_name}/?_to_field={user.pk.name}"'
        assert f'{link} class="related-lookup dst-lookup" id="lookup_id_param-p-customer"' in html
    assert re.search(r'name="param-p-customer" value="7" class="vForeignKeyRawIdAdminField"', html)
    assert "lookup_id_param-p-nobody" not in html
    schema = RegisteredFunction(bill).parameters.json_schema["properties"]
    assert schema["customer"]["x-model"] == "auth.user" or schema["customer"]["anyOf"][0]["x-model"] == "auth.user"


def errors_of(page):
    """Return what a page says is wrong, by the name of the parameter."""
    found = re.findall(r'<ul class="errorlist" id="id_param-p-(\w+)_error">(.*?)</ul>', page, re.DOTALL)
    return {name: re.findall(r"<li>(.*?)</li>", items) for name, items in found}


@pytest.mark.django_db
def test_run_once_says_all_that_is_wrong_at_once_each_at_its_field(client, engine):
    client.force_login(make_user(*OPERATOR))
    task = make_task(function="testapp.typed")
    wrong = {"param-p-amount": "much", "param-p-tags": "[1, 2", "param-p-size": "xl", "param-p-identifier": "12"}
    page = client.post(
        f"{TASKS}{task.pk}/run-once/", {"dst_asked": "1", "param-as_json": "{}", "reason": "x" * 501, **wrong}
    ).content.decode()
    found = errors_of(page)
    assert set(found) == {"day", "amount", "tags", "size", "identifier"}
    assert all(len(texts) == 1 for texts in found.values()), found
    assert found["day"] == ["this function needs it."]
    assert "at most 500 characters" in page


@pytest.mark.django_db
def test_the_form_of_a_task_does_so_too(client):
    client.force_login(make_user(*EDITOR))
    task = make_task(name="Nightly", function="testapp.typed", params={"day": "2026-03-20"}, schedule_kind="manual")
    given = FORM | {"function": "testapp.typed", "param-p-amount": "much", "param-p-tags": "[1, 2", "name": "x"}
    page = client.post(f"{TASKS}{task.pk}/change/", given)
    found = errors_of(page.content.decode())
    assert {name: len(texts) for name, texts in found.items()} == {"day": 1, "amount": 1, "tags": 1}
    errors = page.context["adminform"].errors
    assert (errors["params"], len(errors["name"])) == (["Please correct the values below."], 1)


@pytest.mark.django_db
def test_each_wrong_item_of_a_list_is_said(client, engine):
    client.force_login(make_user(*OPERATOR))
    task = make_task(function="testapp.typed")
    given = {"dst_asked": "1", "param-as_json": "{}", "param-p-day": "2026-03-20", "param-p-tags": '["a", 1, "b"]'}
    found = errors_of(client.post(f"{TASKS}{task.pk}/run-once/", given).content.decode())
    assert [text.partition(":")[0] for text in found["tags"]] == ["tags.0", "tags.2"]
