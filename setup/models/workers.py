"""Runs one function for many networks at once: one process per core, each with one thread, pinned.

Two threads that wait for each other by spinning lose most of their time as soon as another program
wants a core (measured, calibrating EfficientNet-Lite0: 14 s on two busy cores, 4 s on one).
"""

import multiprocessing
import os
import time

WORKERS_MAX = 4  # Each takes up to 1 GB.


def _pin(number: "multiprocessing.Value", cores: list[int]) -> None:
    with number.get_lock():
        os.sched_setaffinity(0, {cores[number.value % len(cores)]})
        number.value += 1


def _guarded(job):
    function, network = job
    begin = time.monotonic()
    try:
        return network, function(network), None, time.monotonic() - begin
    except Exception as error:  # Whatever one network's code throws must not cost the others.
        return network, None, f"{type(error).__name__}: {error}", time.monotonic() - begin


def for_each(function, networks):
    """Yields (network, result, error text or None, seconds) as they finish; largest first."""
    cores = sorted(os.sched_getaffinity(0))
    count = min(len(cores), WORKERS_MAX)
    jobs = [
        (function, network) for network in sorted(networks, key=lambda network: -network.macs_m)
    ]
    context = multiprocessing.get_context("fork")
    with context.Pool(count, _pin, (context.Value("i", 0), cores)) as pool:
        yield from pool.imap_unordered(_guarded, jobs)
