"""The table by which a copy is told, against an independent reading of it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_scheduled_tasks.services.installation.verdict import Cause, Verdict, judge

NAMES = ["", "production", "staging"]
SIGNS = [
    {"is_signed": signed, "same_address": address, "same_system": system}
    for signed, address, system in itertools.product([True, False], [True, False], [True, False, None])
]


@pytest.mark.parametrize("signs", SIGNS)
def test_another_name_is_a_copy_whatever_else_is_equal(signs):
    found = judge(setting="production", environment="staging", **signs)
    assert found == Verdict(Cause.ENVIRONMENT)


@pytest.mark.parametrize("signs", SIGNS)
def test_the_first_name_is_taken_where_each_sign_is_as_it_was(signs):
    found = judge(setting="production", environment="", **signs)
    is_at_home = signs["is_signed"] and signs["same_address"] and signs["same_system"]
    assert found == (Verdict(is_first_name=True) if is_at_home else Verdict(Cause.ENVIRONMENT))


@pytest.mark.parametrize(
    ("setting", "signed", "address", "system", "expected"),
    [
        ("production", False, True, True, Verdict(Cause.SECRET_KEY)),
        ("", False, True, True, Verdict(Cause.SECRET_KEY)),
        ("production", True, False, False, Verdict()),
        ("production", True, True, True, Verdict()),
        ("", True, True, True, Verdict()),
        ("", True, True, None, Verdict()),
        ("", True, False, False, Verdict(Cause.ELSEWHERE)),
        ("", True, False, True, Verdict(has_moved=True)),
        ("", True, False, None, Verdict(has_moved=True)),
        ("", True, True, False, Verdict(has_moved=True)),
    ],
)
def test_each_row_of_the_table(setting, signed, address, system, expected):
    found = judge(setting=setting, environment="production", is_signed=signed, same_address=address, same_system=system)
    assert found == expected


@given(
    setting=st.sampled_from(NAMES),
    environment=st.sampled_from(NAMES),
    signed=st.booleans(),
    address=st.booleans(),
    system=st.sampled_from([True, False, None]),
)
def test_one_more_sign_of_a_copy_never_makes_it_run(setting, environment, signed, address, system):
    def is_held(**worse: bool) -> bool:
        signs = {"is_signed": signed, "same_address": address, "same_system": system} | worse
        found = judge(setting=setting, environment=environment, **signs)
        assert not (found.cause and found.has_moved)
        return found.cause is not None

    if is_held():
        assert is_held(is_signed=False)
        assert is_held(same_address=False)
        assert is_held(same_system=False)
    else:
        assert setting in {"", environment} or (not environment and address and system)
        assert signed
