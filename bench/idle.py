#!/usr/bin/env python3
"""What Juggler costs when nothing happens: CPU and resident memory of an idle controller and an idle
consumer (no-op engine, and a twin), joined to each other over a private RabbitMQ.

  bench/idle.py [--seconds 60] [--juggler build/release] [--output bench/results/idle.json]

Checks that the fleet really works before and after: a controller that does not answer costs nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import machine
from broker import PrivateBroker, die_with_parent

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CPU_PERCENT_MAX = 0.5
RSS_MIB_MAX = 30.0


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return {line.split(":")[0]: line.split(":")[1].split()[0] for line in file
                if line.startswith(("VmRSS", "VmHWM", "Threads", "RssAnon"))}


def cpu_us(pid):
    """On-CPU time of all threads, from the scheduler's own nanosecond clock: ticks are too coarse."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1000


def devices_live(juggler, url):
    done = subprocess.run([juggler, "devices", "--json"], env={**os.environ, "JUGGLER_BROKER": url},
                          capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        return 0
    return sum(1 for device in json.loads(done.stdout)["devices"] if device["state"] == "live")


def await_fleet(juggler, url, count):
    end = time.monotonic() + 60
    while devices_live(juggler, url) < count:
        if time.monotonic() > end:
            sys.exit(f"only {devices_live(juggler, url)} of {count} devices joined within 60 s")
        time.sleep(0.5)


def submit_burst(juggler, url, home):
    """A thousand photographs at once; returns how many were sent."""
    done = subprocess.run(
        [juggler, "submit", "--outstanding", "1024", "--deadline", "120s", "--json",
         *[os.path.join(home, "photos")] * 112],
        env={**os.environ, "JUGGLER_BROKER": url}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return len(json.loads(done.stdout)["tasks"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--juggler", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--home", default=os.path.join(ROOT, "var"))
    parser.add_argument("--quick", action="store_true", help="10 s: does it run?")
    parser.add_argument("--output", default=os.path.join(ROOT, "bench", "results", "idle.json"))
    options = parser.parse_args()
    seconds = 10 if options.quick else options.seconds
    juggler = os.path.join(options.juggler, "juggler")
    consumer = os.path.join(options.juggler, "juggler-consumer")
    vhost = "idle"
    with PrivateBroker([vhost], ["controller", "submitter", "noop-1", "twin-1"]) as broker, \
            tempfile.TemporaryFile() as log:
        def spawn(user, command):
            environment = {**os.environ, "JUGGLER_BROKER": broker.url(user, vhost)}
            return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, preexec_fn=die_with_parent)

        processes = {
            "controller": spawn("controller", [juggler, "controller"]),
            "consumer, no-op": spawn("noop-1", [consumer, "--id", "noop-1", "--engine", "noop"]),
            "consumer, twin": spawn("twin-1", [consumer, "--id", "twin-1", "--twin",
                                               "raspberry-pi-4", "--home", options.home]),
        }
        url = broker.url("controller", vhost)
        await_fleet(juggler, url, 2)
        time.sleep(5)
        before = {name: cpu_us(process.pid) for name, process in processes.items()}
        begun = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - begun
        rows = []
        for name, process in processes.items():
            facts = status(process.pid)
            rows.append({"process": name,
                         "cpu_percent": round((cpu_us(process.pid) - before[name]) / took / 1e4, 3),
                         "rss_mib": round(int(facts["VmRSS"]) / 1024, 1),
                         "rss_anonymous_mib": round(int(facts["RssAnon"]) / 1024, 1),
                         "threads": int(facts["Threads"])})
        burst = submit_burst(juggler, broker.url("submitter", vhost), options.home)
        time.sleep(8)
        for row, process in zip(rows, processes.values()):
            row["rss_mib_after_burst"] = round(int(status(process.pid)["VmRSS"]) / 1024, 1)
        await_fleet(juggler, url, 2)
        notes = machine.describe(ROOT, broker.folder)
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(20)
    print(f"resident after: 8 s after {burst} photographs, submitted at once")
    print(f"{'process':<18} {'CPU % of one core':>18} {'resident MiB':>13} {'of it own MiB':>14} "
          f"{'after MiB':>10} {'threads':>8}")
    for row in rows:
        print(f"{row['process']:<18} {row['cpu_percent']:>18.3f} {row['rss_mib']:>13.1f} "
              f"{row['rss_anonymous_mib']:>14.1f} {row['rss_mib_after_burst']:>10.1f} "
              f"{row['threads']:>8}")
        for name, value, most in (("CPU %", row["cpu_percent"], CPU_PERCENT_MAX),
                                  ("resident MiB", row["rss_mib"], RSS_MIB_MAX)):
            if value > most:
                print(f"  MISSED: {name} {value} > {most}")
    print(f"over {took:.0f} s, 2 devices joined before and after")
    os.makedirs(os.path.dirname(options.output), exist_ok=True)
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump({"machine": notes, "seconds": took, "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
