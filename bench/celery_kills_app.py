"""The Celery side of bench/kills.py: a task that takes a while, and notes its end where a crash of the
broker cannot take it away.

Set by environment: BENCH_BROKER, BENCH_CAREFUL (1: every setting against loss that Celery documents),
BENCH_RAN (a file: one line for each run to the end), BENCH_TASK_MS.
"""

import os
import time

from celery import Celery

CAREFUL = os.environ["BENCH_CAREFUL"] == "1"

app = Celery("kills", broker=os.environ["BENCH_BROKER"], backend="rpc://")
app.conf.update(
    # As after installation, but for what is said here.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
)
if CAREFUL:
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_transport_options={"confirm_publish": True},
        result_persistent=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )


@app.task(name="work")
def work(number):
    time.sleep(int(os.environ["BENCH_TASK_MS"]) / 1000)
    line = f"{time.monotonic()} {number}\n".encode()
    file = os.open(os.environ["BENCH_RAN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line)  # one write: whole, or not there
    os.close(file)
    return number
