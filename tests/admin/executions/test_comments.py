"""Comments on executions in the admin."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.models import Comment
from tests.admin.pages import EXECUTIONS
from tests.factories import VIEWER, make_execution, make_user

pytestmark = pytest.mark.django_db


def test_a_comment_is_added_with_who_and_when_and_is_escaped(client):
    client.force_login(make_user(*VIEWER, "comment_execution", name="ben"))
    execution = make_execution()
    address = f"{EXECUTIONS}{execution.pk}/comment/"
    response = client.post(address, {"text": " <b>Mail server</b> moves today. "})
    assert response.headers["Location"] == f"{EXECUTIONS}{execution.pk}/change/#dst-comments"
    page = client.get(f"{EXECUTIONS}{execution.pk}/change/").content.decode()
    assert "<strong>ben</strong>" in page
    assert "&lt;b&gt;Mail server&lt;/b&gt; moves today." in page
    assert f'action="{address}"' in page


@pytest.mark.parametrize(("text", "said"), [("  ", "write something."), ("x" * 1001, "at most 1000 characters.")])
def test_an_empty_comment_and_one_that_is_too_long_are_refused(client, text, said):
    client.force_login(make_user(*VIEWER, "comment_execution"))
    execution = make_execution()
    page = client.post(f"{EXECUTIONS}{execution.pk}/comment/", {"text": text}, follow=True).content.decode()
    assert said in page
    assert not Comment.objects.exists()


def test_who_may_only_look_reads_comments_and_adds_none(client, page_of):
    execution = make_execution()
    Comment.objects.create(execution=execution, at=execution.triggered_at, user_name="ben", text="I watch it.")
    page = page_of(f"{EXECUTIONS}{execution.pk}/change/", *VIEWER)
    assert "I watch it." in page
    assert "Add a comment" not in page
    assert client.post(f"{EXECUTIONS}{execution.pk}/comment/", {"text": "x"}).status_code == 403
    assert "dst-comments" not in page_of(f"{EXECUTIONS}{make_execution().pk}/change/", *VIEWER)
