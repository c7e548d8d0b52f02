"""The Celery side of the round trip: one task that does nothing but prove what it received.

Set by environment: BENCH_BROKER, BENCH_CONFIRM (1: publisher confirms, of client and worker),
BENCH_MULTIPLIER (worker_prefetch_multiplier), BENCH_SERIALIZER (pickle or json).
"""

import hashlib
import os

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_BROKER"], backend="rpc://")
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=int(os.environ["BENCH_MULTIPLIER"]),
    broker_transport_options=(
        {"confirm_publish": True} if os.environ["BENCH_CONFIRM"] == "1" else {}),
    task_serializer=os.environ["BENCH_SERIALIZER"],
    accept_content=["json", "pickle"],
    result_serializer="json",
    # What would only slow Celery down here.
    worker_send_task_events=False,
    worker_disable_rate_limits=True,
    worker_enable_remote_control=False,
    broker_heartbeat=0,
)


@app.task(name="noop")
def noop(payload):
    """The answer that every system here gives: 16 hex digits of the payload's sha256."""
    return hashlib.sha256(payload).hexdigest()[:16]
