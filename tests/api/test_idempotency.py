"""A flaky network never starts a task twice: posts in parallel with one key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from django_scheduled_tasks.models import Execution
from tests.api.conftest import ROOT, client_of
from tests.database import connection
from tests.factories import EDITOR, make_execution, make_task, make_user

pytestmark = pytest.mark.every_database

POSTS, AT_ONCE = 50, 25


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("overlap", ["skip", "allow"])
@pytest.mark.parametrize("call", ["run-once", "rerun", "backfill"])
def test_fifty_parallel_posts_with_one_key_start_one_execution(call, overlap, engine):
    task = make_task(name="nightly", overlap=overlap, schedule_kind="cron", expression="0 * * * *")
    earlier = make_execution(task, status="completed")
    user = make_user(*EDITOR)
    address, body = {
        "run-once": (f"{ROOT}/tasks/nightly/run-once/", {"reason": "once"}),
        "rerun": (f"{ROOT}/executions/{earlier.tracking_id}/rerun/", {"reason": "once"}),
        "backfill": (f"{ROOT}/tasks/nightly/backfill/", {"from": "2026-03-20T00:00:00Z", "to": "2026-03-20T00:00:00Z"}),
    }[call]
    ready = threading.Barrier(AT_ONCE)

    def post(number: int) -> tuple[int, str]:
        try:
            client = client_of(user=user)
            if number < AT_ONCE:
                ready.wait(30)
            response = client.post(address, body, format="json", headers={"Idempotency-Key": "one"})
            info = response.json()["info"]
            return response.status_code, (info["occurrences"][0] if call == "backfill" else info)["trackingId"]
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(post, range(POSTS)))
    assert sorted(code for code, _ in answers) == [200] * (POSTS - 1) + [202]
    (execution,) = Execution.objects.exclude(pk=earlier.pk)
    assert {tracking_id for _, tracking_id in answers} == {str(execution.tracking_id)}
