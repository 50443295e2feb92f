"""From signatures to typed values and JSON Schema."""

from __future__ import annotations

import datetime as dt
import enum
import sys
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, SecretBytes, SecretStr

from django_scheduled_tasks.exceptions import InvalidParameters
from django_scheduled_tasks.parameters import MASK, Parameters, hide, secrets_by_name


class Colour(enum.Enum):
    RED = "red"


class Address(BaseModel):
    street: str
    pin: SecretStr | None = None


def of(function: Any) -> Parameters:
    return Parameters(function, "app.function")


def many(
    day: dt.date,
    moment: dt.datetime | None = None,
    identifier: uuid.UUID | None = None,
    amount: Decimal = Decimal(0),
    colour: Colour = Colour.RED,
    size: Literal["s", "m"] = "s",
    tags: list[int] | None = None,
    address: Address | None = None,
) -> None: ...


GIVEN = {
    "day": "2026-03-20",
    "moment": "2026-03-20T23:00:53Z",
    "identifier": "0198a2de-0000-7000-8000-000000000000",
    "amount": "12.50",
    "colour": "red",
    "size": "m",
    "tags": [1, 2],
    "address": {"street": "Hauptstraße", "pin": "1234"},
}


def test_json_becomes_typed_values():
    typed = of(many).typed(GIVEN)
    assert typed["day"] == dt.date(2026, 3, 20)
    assert typed["moment"] == dt.datetime(2026, 3, 20, 23, 0, 53, tzinfo=dt.UTC)
    assert typed["identifier"] == uuid.UUID(GIVEN["identifier"])
    assert typed["amount"] == Decimal("12.50")
    assert typed["colour"] is Colour.RED
    assert typed["size"] == "m"
    assert typed["tags"] == [1, 2]
    assert typed["address"] == Address(street="Hauptstraße", pin=SecretStr("1234"))


def test_typed_values_are_stored_as_json_and_come_back():
    typed = of(many).typed(GIVEN)
    stored = of(many).clean(typed)
    assert stored == GIVEN
    assert of(many).typed(stored) == typed


def test_absent_parameters_keep_the_functions_defaults():
    assert of(many).typed({"day": "2026-03-20"}) == {"day": dt.date(2026, 3, 20)}


def test_each_wrong_field_has_one_item():
    with pytest.raises(InvalidParameters) as caught:
        of(many).clean({"amount": "much", "size": "xl", "tags": [1, "two"], "colour": "green", "wrong": 1})
    errors = {error.field: error for error in caught.value.errors}
    assert set(errors) == {"day", "amount", "size", "tags.1", "colour", "wrong"}
    assert errors["day"].message == "this function needs it."
    assert errors["day"].code == "missing"
    assert errors["wrong"].message == "this function has no such parameter."
    assert errors["wrong"].code == "unknown"


def test_the_json_schema_names_the_parameters_and_what_is_required():
    schema = of(many).json_schema
    assert schema["type"] == "object"
    assert list(schema["properties"]) == list(GIVEN)
    assert schema["required"] == ["day"] == list(of(many).required)
    assert schema["properties"]["day"]["format"] == "date"
    assert schema["additionalProperties"] is False


def test_names_that_pydantic_reserves_are_fine():
    def function(json: int, copy: str = "", model_x: int = 0, _hidden: int = 1) -> None: ...

    given = {"json": 1, "copy": "a", "model_x": 2, "_hidden": 3}
    assert of(function).typed(given) == given
    assert set(of(function).json_schema["properties"]) == set(given)


def test_a_function_that_takes_any_keyword_takes_any():
    def function(a: int, **others: Any) -> None: ...

    assert of(function).typed({"a": "1", "b": [True]}) == {"a": 1, "b": [True]}


def test_an_unannotated_parameter_takes_any_json():
    def function(a, b=2): ...

    assert of(function).typed({"a": {"x": None}}) == {"a": {"x": None}}


def test_a_positional_only_parameter_is_refused_with_its_name():
    def function(a: int, /) -> None: ...

    with pytest.raises(ImproperlyConfigured, match='"a" of app.function is positional-only'):
        _ = of(function).model


@pytest.mark.parametrize("annotation", ["Missing", "dt.Missing", "Literal['a'] + 1", "{}['a']", "1 / 0"])
def test_an_annotation_that_cannot_be_evaluated_is_told(annotation):
    def function(a):
        return a

    function.__annotations__["a"] = annotation
    with pytest.raises(ImproperlyConfigured, match="The annotations of app.function cannot be read"):
        _ = of(function).model


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are evaluated when the function is defined")
def test_so_is_one_that_python_evaluates_late():
    names: dict[str, Any] = {}
    exec(compile("def function(a: Missing): ...", "tasks.py", "exec", dont_inherit=True), names)
    with pytest.raises(ImproperlyConfigured, match="cannot be read: name 'Missing' is not defined"):
        _ = of(names["function"]).model


def test_a_type_that_is_not_json_is_refused_with_the_functions_name():
    class Thing: ...

    def function(a: Thing) -> None: ...

    function.__annotations__["a"] = Thing
    with pytest.raises(ImproperlyConfigured, match="app.function cannot be given as JSON"):
        _ = of(function).model


def test_a_value_that_is_not_json_is_refused_with_its_name():
    def function(a=None): ...

    with pytest.raises(InvalidParameters, match="a: object cannot be given as JSON"):
        of(function).clean({"a": object()})


def within_itself() -> Any:
    found: list[Any] = []
    found.append(found)
    return found


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "NaN cannot be given as JSON"),
        ({"a": [float("-inf")]}, "A number is too large"),
        (["\ud800"], "half a surrogate pair"),
        ({"\ud800": 1}, "dict cannot be given as JSON"),
        (SecretStr("\x00"), "NUL character"),
        (SecretBytes(b"\xff"), "SecretBytes cannot be given as JSON"),
        (nested(150), "nested too deeply"),
        (nested(300), "nested too deeply"),
        (within_itself(), "nested too deeply"),
    ],
)
def test_a_value_that_no_database_holds_is_refused_with_its_name(value, message):
    def function(a=None, **options): ...

    for name in ("a", "other"):
        with pytest.raises(InvalidParameters, match=message) as caught:
            of(function).clean({name: value})
        assert [(wrong.field, wrong.code) for wrong in caught.value.errors] == [(name, "not_json")]


def test_a_name_that_no_database_holds_is_refused():
    def function(**options): ...

    with pytest.raises(InvalidParameters, match="params: A text has half a surrogate pair"):
        of(function).clean({"\ud800": 1})


def secretive(
    password: SecretStr, api_key: str = "", addresses: list[Address] | None = None, user: str = ""
) -> None: ...


SECRETS = {
    "password": "p4ss",
    "api_key": "k3y",
    "addresses": [{"street": "Elm", "pin": "1234"}],
    "user": "anna",
}


def test_secrets_are_masked_however_deep():
    assert of(secretive).mask(SECRETS) == {
        "password": MASK,
        "api_key": MASK,
        "addresses": [{"street": "Elm", "pin": MASK}],
        "user": "anna",
    }


def test_secrets_are_kept_to_run_with_and_known_to_be_taken_out_of_logs():
    stored = of(secretive).clean({"password": SecretStr("p4ss"), "addresses": [Address(street="Elm", pin="1234")]})
    assert stored == {"password": "p4ss", "addresses": [{"street": "Elm", "pin": "1234"}]}
    assert of(secretive).secrets(SECRETS) == ({"p4ss", "1234"}, set())
    assert of(secretive).secrets(SECRETS | {"api_key": "k3y5"}).named == {"k3y5"}


class Login(BaseModel):
    """Takes its fields by other names than those in its schema, and more than its fields."""

    model_config = ConfigDict(populate_by_name=True, extra="allow")
    code: SecretStr | None = Field(None, alias="theCode")
    phrase: SecretStr | None = Field(None, validation_alias=AliasChoices("one", "two", AliasPath("words", 0)))
    host: str = ""


def logins(
    first: Login | None = None,
    more: dict[str, Login | dict[str, str]] | None = None,
    patterned: dict[Annotated[str, Field(pattern="^a")], SecretStr] | None = None,
    **options: Any,
) -> None: ...


@pytest.mark.parametrize(
    "given",
    [
        {"first": {"theCode": "hidden", "host": "shown"}},
        {"first": {"code": "hidden", "one": None, "host": "shown"}},
        {"first": {"code": "hidden", "host": "shown"}},
        {"first": {"one": "hidden", "host": "shown"}},
        {"first": {"two": "hidden", "host": "shown"}},
        {"first": {"words": ["hidden"], "host": "shown"}},
        {"more": {"b": {"code": "hidden", "host": "shown"}}},
        {"patterned": {"ab": "hidden"}, "first": {"host": "shown"}},
        {"first": {"code": "hidden"}, "option": "shown"},
    ],
)
def test_a_secret_is_masked_by_whatever_name_it_was_given(given):
    parameters = of(logins)
    assert parameters.clean(given) == given
    shown = str(parameters.mask(given))
    assert "hidden" not in shown
    assert "shown" in shown
    assert parameters.secrets(given).declared == {"hidden"}


def test_what_the_function_no_longer_takes_is_masked_where_it_has_secrets():
    assert of(secretive).mask({"formerly": "p4ss"}) == {"formerly": MASK}
    assert of(many).mask({"formerly": "red"}) == {"formerly": "red"}


def test_without_the_function_secrets_are_masked_by_name():
    params = {"db": [{"Password": "x", "host": "h"}], "TOKEN": "t"}
    assert hide(params, secrets_by_name(params)) == {"db": [{"Password": MASK, "host": "h"}], "TOKEN": MASK}


def with_examples(
    password: Annotated[str, Field(examples=["pa55word"])] = "pa55word",
    options: Annotated[dict[str, Any] | None, Field(examples=[{"token": "t0ken", "host": "h"}])] = None,
) -> None: ...


def test_the_schema_for_everybody_shows_no_default_and_no_example_of_a_secret():
    def nested(options: dict[str, Any] = {"token": "t0ken", "host": "h"}) -> None: ...  # noqa: B006

    shown = of(with_examples).json_schema["properties"]
    assert shown["password"].keys() & {"default", "examples"} == set()
    assert shown["options"]["examples"] == [{"token": MASK, "host": "h"}]
    assert of(nested).json_schema["properties"]["options"]["default"] == {"token": MASK, "host": "h"}


def test_where_secrets_were_may_not_fit_what_is_there_now():
    assert hide({"a": "text", "b": [1]}, {"a": {"token": True}, "b": {"4": True}, "c": True}) == {"a": "text", "b": [1]}
