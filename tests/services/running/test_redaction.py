"""Secrets are taken out of texts: in every form, and long pieces of them."""

from __future__ import annotations

import base64
import html
import json
import string
import tracemalloc
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.services.running import redaction
from django_scheduled_tasks.services.running.redaction import MOST_PIECES, PIECE, Masker, without_named

FORMS = {
    "plain": str,
    "quoted": lambda text: repr(text)[1:-1],
    "bytes": lambda text: repr(text.encode())[2:-1],
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON with letters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "HTML": html.escape,
    "URL": quote,
    "form": quote_plus,
}
LETTERS = string.ascii_letters + string.digits + "äß€ \"'\\/&%+\n-_="
TOKEN = "sk-live-0123456789abcdefghijklmnopqrstuvwxyz"


@given(
    secret=st.text(alphabet=LETTERS, min_size=PIECE, max_size=60),
    form=st.sampled_from(sorted(FORMS)),
    before=st.text(max_size=20),
    behind=st.text(max_size=20),
    data=st.data(),
)
def test_a_long_piece_of_a_secret_is_taken_out_in_every_form(secret, form, before, behind, data):
    written = FORMS[form](secret)
    begin = data.draw(st.integers(0, len(written) - PIECE))
    end = data.draw(st.integers(begin + PIECE, len(written)))
    masked = Masker([secret])(f"{before}{written[begin:end]}{behind}")
    assert MASK in masked
    assert not any(written[at : at + PIECE] in masked for at in range(begin, end - PIECE + 1))


@given(
    secret=st.text(alphabet=LETTERS, min_size=PIECE, max_size=40),
    user=st.text(alphabet=string.ascii_lowercase, min_size=0, max_size=5),
    encode=st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
)
def test_a_secret_is_taken_out_of_the_base64_of_a_longer_text(secret, user, encode):
    written = encode(f"{user}:{secret}".encode()).decode()
    masked = Masker([secret])(f"Authorization: Basic {written}")
    assert MASK in masked
    left = masked.removeprefix("Authorization: Basic ").partition(MASK)
    # What is left are the characters that have bits of what stands beside the secret.
    assert len(left[0]) <= -(-(len(user) + 1) * 8 // 6)
    assert len(left[2].rstrip("=")) <= 1


@given(text=st.text(alphabet="abc•", max_size=50))
def test_what_has_no_secret_in_it_stays(text):
    assert Masker([TOKEN, "1234"])(text) == text


def test_what_pydantic_shortens_is_found():
    class Login(BaseModel):
        token: int

    with pytest.raises(ValidationError) as error:
        Login(token=TOKEN)
    assert "sk-live-0123" in str(error.value)
    assert "input_value='••••••••" in Masker([TOKEN])(str(error.value))
    assert not any(TOKEN[at : at + PIECE] in Masker([TOKEN])(str(error.value)) for at in range(len(TOKEN)))


def test_short_words_are_taken_out_as_whole_words_only():
    mask = Masker(words=["date", "long-enough-word"])
    assert mask("update date=date, 'date'") == f"update {MASK}={MASK}, '{MASK}'"
    assert mask("xlong-enough-word") == f"x{MASK}"


def test_a_very_long_secret_needs_bounded_memory_and_time_in_line_with_the_text():
    secret = "".join(f"{number:05d}" for number in range(40_000))
    tracemalloc.start()
    mask = Masker([secret])
    kept, _most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 150 * MOST_PIECES
    assert secret[101:201] not in mask(f"begin {secret[101:201]} end")
    assert mask("begin end") == "begin end"
    same = Masker(["a" * 5_000])  # each place of the text is like each place of the secret
    assert same("a" * 300_000) == MASK
    assert same("b" * 300_000) == "b" * 300_000


@given(
    secret=st.text(alphabet="ab", min_size=PIECE, max_size=30),
    text=st.text(alphabet="ab•", max_size=120),
    block=st.sampled_from([4, 8, 12, 64]),
)
def test_looking_at_halves_finds_what_looking_at_each_place_finds(secret, text, block):
    mask, plain = Masker([secret]), Masker([secret])
    plain._halves = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_BLOCK", block)
        assert mask(text) == plain(text)


def test_of_a_long_text_few_places_are_looked_at():
    """A loop of Python over each character took a second for a megabyte."""
    text = "".join(f"line {number}: nothing happened here\n" for number in range(30_000))
    mask = Masker([TOKEN])
    assert sum(1 for _ in mask._places(text)) < len(text) / 100
    begin, end = text[:700_001], text[700_001:]
    assert mask(f"{begin}{TOKEN}{end}") == f"{begin}{MASK}{end}"


def test_keys_of_results_name_secrets():
    result = {"password": "new", "items": [{"apiKey": 5, "author": "anna"}], "token": None, "auth": True}
    expected = {"password": MASK, "items": [{"apiKey": MASK, "author": "anna"}], "token": None, "auth": True}
    assert Masker().json(result) == expected
    assert without_named(result) == expected
    assert without_named(({"pin": b"x"}, 1)) == ({"pin": MASK}, 1)
    around: list[object] = []
    around.append(around)
    assert without_named(around)
