"""Control characters in the texts of others."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from django_scheduled_tasks.printable import on_one_line, printable, printable_json

ESCAPES = "\x1b[31m\x9b2J\x07\r\x00\x7f\u202e\u2028\ud800"


def test_control_characters_are_written_as_escapes():
    assert printable(f"a\n\tä{ESCAPES}") == "a\n\tä\\x1b[31m\\x9b2J\\x07\\r\\x00\\x7f\\u202e\\u2028\\ud800"
    assert on_one_line("a\n\tb") == "a\\n\\tb"
    assert on_one_line("plain") == printable("plain") == "plain"


@given(st.text(), st.text())
def test_json_stays_the_same_json_without_control_characters(text, key):
    value = {key: [text, 1]}
    written = printable_json(value, indent=2)
    assert json.loads(written) == value
    assert printable(written) == written
