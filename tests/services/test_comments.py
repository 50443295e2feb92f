"""Comments on executions."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.exceptions import InvalidInput, PermissionDenied
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Comment
from django_scheduled_tasks.services import comments
from django_scheduled_tasks.services.comments import add_comment, comments_on
from django_scheduled_tasks.services.permissions import COMMENT_EXECUTION, requiring
from django_scheduled_tasks.services.scheduling.retention import delete_executions
from tests.factories import make_execution, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_comments_keep_their_order_their_author_and_go_with_the_execution(monkeypatch):
    execution, user = make_execution(status=Status.COMPLETED), make_user(name="ben")
    for text in ("one", " two\r\nlines\x1b[2J ", "three"):
        add_comment(execution, text, user=user)
    add_comment(make_execution(), "elsewhere", user=user)
    assert [(one.user_name, one.text) for one in comments_on(execution)] == [
        ("ben", "one"),
        ("ben", "two\nlines\\x1b[2J"),
        ("ben", "three"),
    ]
    monkeypatch.setattr(comments, "MOST_SHOWN", 2)
    assert [one.text for one in comments_on(execution)][-1] == "three"
    user.delete()
    assert comments_on(execution)[-1].user_name == "ben"
    delete_executions([execution.pk])
    assert Comment.objects.count() == 1


def test_what_is_refused_writes_nothing():
    execution = make_execution()
    with pytest.raises(PermissionDenied):
        add_comment(execution, "x", user=make_user(), authorize=requiring(make_user(), COMMENT_EXECUTION))
    for text in ("", " \n", "x" * 1001):
        with pytest.raises(InvalidInput):
            add_comment(execution, text, user=make_user())
    assert not Comment.objects.exists()
