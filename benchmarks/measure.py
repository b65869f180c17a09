"""Measure one lap: seconds, CPU time by who used it, and how much of the machine others had meanwhile."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class ProcessTree:
    """A process with all that it started."""

    pid: int

    def processes(self) -> list[psutil.Process]:
        """Return those that live."""
        try:
            root = psutil.Process(self.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu_seconds(self) -> float:
        """Return the CPU time of all, of children that have ended too."""
        total = 0.0
        for process in self.processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total

    def rss_bytes(self) -> dict[int, int]:
        """Return the resident memory of each process."""
        sizes = {}
        for process in self.processes():
            try:
                sizes[process.pid] = process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return sizes


@dataclass(frozen=True)
class Lap:
    """One run of one workload on one engine."""

    seconds: float
    cpu: Mapping[str, float]
    """CPU seconds by who used them: driver, workers, postgres, valkey."""
    others: float
    """The share of the machine that other processes used."""

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all who worked for it."""
        return sum(self.cpu.values())


def measure(run: Callable[[], float], parties: Mapping[str, ProcessTree]) -> Lap:
    """Measure a run.

    Args:
        run: Returns the seconds that count.
        parties: Who works for it beside this process.
    """
    used = {name: tree.cpu_seconds() for name, tree in parties.items()}
    driver, machine, begun = time.process_time(), _busy_seconds(), time.perf_counter()
    seconds = run()
    wall, busy = time.perf_counter() - begun, _busy_seconds() - machine
    cpu = {"driver": time.process_time() - driver}
    cpu |= {name: tree.cpu_seconds() - used[name] for name, tree in parties.items()}
    others = max(0.0, busy - sum(cpu.values())) / (wall * (os.cpu_count() or 1))
    return Lap(seconds, cpu, others)


def median_seconds(laps: Sequence[Lap]) -> float:
    """Return the median of the laps' seconds."""
    return statistics.median(lap.seconds for lap in laps)


def cpu_us(laps: Sequence[Lap], tasks: int) -> dict[str, float]:
    """Return microseconds of CPU per task by who used them, over all laps."""
    names = list(laps[0].cpu)
    return {name: sum(lap.cpu[name] for lap in laps) / (tasks * len(laps)) * 1e6 for name in names}


def peak_rss_bytes(pid: int) -> int:
    """Return the largest resident memory that a process ever had, on Linux; elsewhere what it has now."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        return int(text.partition("VmHWM:")[2].split()[0]) * 1024
    except OSError:
        return int(psutil.Process(pid).memory_info().rss)


def machine() -> dict[str, object]:
    """Describe the machine and how busy it is."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    idle = float(times.idle + getattr(times, "iowait", 0.0))
    return float(sum(times)) - idle - float(getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0))


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
