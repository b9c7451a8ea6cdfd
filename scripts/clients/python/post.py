"""Posts an event with the generated client, and reads it back.

TIDEMARK_URL names the service, and TIDEMARK_KEY a key with the scopes write and read.
"""

import datetime
import os
import time
import uuid

from tidemark_client import AuthenticatedClient
from tidemark_client.api.accounts import list_events, summarise_account
from tidemark_client.api.events import find_job, record_events
from tidemark_client.models import (
    Accepted,
    Batch,
    Event,
    EventMetadata,
    EventPage,
    EventType,
    Job,
    JobState,
    Problem,
    Summary,
)

WITHIN_SECONDS = 30

ACCOUNT = "python-client"


def main() -> None:
    client = AuthenticatedClient(
        base_url=os.environ["TIDEMARK_URL"],
        token=os.environ["TIDEMARK_KEY"],
        raise_on_unexpected_status=True,
    )
    sent = an_event()

    refused = record_events.sync(client=client, body=Batch(events=[]))
    assert isinstance(refused, Problem), refused
    assert refused.status == 400 and refused.type_.startswith("urn:tidemark:problem:"), refused

    accepted = record_events.sync(client=client, body=Batch(events=[sent]))
    assert isinstance(accepted, Accepted), accepted
    assert accepted.queued == 1, accepted

    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        job = find_job.sync(str(accepted.job_id), client=client)
        summary = summarise_account.sync(ACCOUNT, client=client)
        assert isinstance(job, Job), job
        assert isinstance(summary, Summary), summary
        if job.state == JobState.COMPLETED and summary.totals.additional_properties == {"login": 1}:
            break
        assert time.monotonic() < deadline, (job, summary)
        time.sleep(0.1)

    page = list_events.sync(ACCOUNT, client=client, limit=1, type_="login")
    assert isinstance(page, EventPage), page
    [event] = page.events
    assert event.event_id == sent.event_id, event
    assert isinstance(event.timestamp, datetime.datetime), event
    assert event.to_dict()["metadata"] == {"plan": "pro", "tags": ["a", {"deep": None}]}, event


def an_event() -> Event:
    metadata = EventMetadata()
    metadata["plan"] = "pro"
    metadata["tags"] = ["a", {"deep": None}]
    return Event(
        event_id=str(uuid.uuid4()),
        account_id=ACCOUNT,
        user_id="ada",
        type_=EventType.LOGIN,
        timestamp=datetime.datetime.now(datetime.timezone.utc),
        metadata=metadata,
    )


main()
