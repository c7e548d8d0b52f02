"""What a figure needs beside it: machine, software, build, and what a disk write costs here."""

import os
import platform
import re
import statistics
import subprocess
import tempfile
import time


def first_line(command, cwd=None):
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=20,
                              check=False)
        return done.stdout.splitlines()[0].strip() if done.stdout else "unknown"
    except OSError:
        return "unknown"


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        text = cpuinfo.read()
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1) if found else platform.machine()


def memory_gib():
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def file_system(folder):
    return first_line(["stat", "--file-system", "--format=%T", folder])


def fdatasync_us(folder, count=50):
    """Median time to write 4 KiB and make it durable."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(count):
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(1e6 * (time.perf_counter() - started))
    return round(statistics.median(times))


def cmake_cache(binary):
    """Compiler and flags of the build tree that `binary` lies in."""
    folder = os.path.dirname(os.path.abspath(binary))
    while folder != "/" and not os.path.exists(os.path.join(folder, "CMakeCache.txt")):
        folder = os.path.dirname(folder)
    values = {}
    try:
        with open(os.path.join(folder, "CMakeCache.txt"), encoding="utf-8") as cache:
            for line in cache:
                name, equals, value = line.strip().partition("=")
                if equals:
                    values[name.split(":")[0]] = value
    except OSError:
        return {"compiler": "unknown", "flags": "unknown"}
    build_type = values.get("CMAKE_BUILD_TYPE", "")
    flags = [values.get("CMAKE_CXX_FLAGS", ""),
             values.get(f"CMAKE_CXX_FLAGS_{build_type.upper()}", "")]
    return {"compiler": first_line([values.get("CMAKE_CXX_COMPILER", "c++"), "--version"]),
            "flags": f"{build_type}: {' '.join(flags).strip()}"}


def commit(root):
    """The commit; `-dirty` if a tracked file differs from it."""
    return first_line(["git", "describe", "--always", "--dirty", "--abbrev=10"], cwd=root)


class OtherLoad:
    """How much of the machine's CPU time programs other than ours used since the start."""

    def __init__(self, ours_seconds):
        self.ours_seconds = ours_seconds  # CPU seconds of everything that belongs to the benchmark.
        self.begun = self._now()

    def _now(self):
        with open("/proc/stat", encoding="utf-8") as stat:
            user, nice, system, idle, iowait, irq, softirq, steal = (
                int(field) for field in stat.readline().split()[1:9])
        busy = user + nice + system + irq + softirq + steal
        ours = os.sysconf("SC_CLK_TCK") * self.ours_seconds()
        return busy, busy + idle + iowait, ours

    def share(self):
        busy, total, ours = (after - before for after, before in zip(self._now(), self.begun))
        return round(max(0.0, (busy - ours) / max(1, total)), 3)


def describe(root, folder):
    return {
        "cpu": cpu_model(), "cores": os.cpu_count(), "memory_gib": memory_gib(),
        "kernel": platform.release(), "python": platform.python_version(),
        "file_system": file_system(folder), "fdatasync_us_p50": fdatasync_us(folder),
        "load_before": os.getloadavg()[0], "commit": commit(root),
    }
