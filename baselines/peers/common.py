"""What every script here shares: how many threads, the conditions of a measurement, the final evaluation.

Import it before numpy, torch or jax: they read these variables when they are loaded. It means one thread on one core;
a script that offers more calls `use_threads` before it imports one of them.
"""

import os
import tempfile

THREADS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "CUDA_VISIBLE_DEVICES": "",
}
os.environ.update(THREADS)
# The cores that were allowed at the start, the one to take first at the end of the list.
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
# How many threads a number was measured with.
threads = 1


def use_threads(count):
    """`count` threads on as many cores, for numpy and torch; XLA stays at one thread of its own.

    Ends the script where fewer cores are allowed: threads that share one would measure the scheduler.
    """
    global threads
    if count > (len(CORES) or os.cpu_count()):
        raise SystemExit(f"failed to take {count} cores: only {len(CORES) or os.cpu_count()} are allowed")
    threads = count
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]:
        os.environ[name] = str(count)
    if CORES:
        # The last cores that are allowed: XLA has threads that no variable takes away.
        os.sched_setaffinity(0, CORES[-count:])


use_threads(1)
# MuJoCo writes its warnings into a file in the current folder.
os.chdir(tempfile.gettempdir())

import datetime
import importlib.metadata
import json
import platform
import time


def versions(*packages):
    """The installed versions of `packages`, and Python's."""
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **found}


def conditions():
    """What the number depends on and no setting of ours decides."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%MZ"),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "threads": threads,
        # Above the number of threads means that something else was running too.
        "load_1m": round(os.getloadavg()[0], 2),
    }


def cpu():
    """The processor's name, with family and model where the name says little."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = (line.split(":", 1) for line in file if ":" in line)
            fields = {key.strip(): value.strip() for key, value in lines}
    except OSError:
        return platform.processor() or platform.machine()
    name = fields.get("model name", platform.machine())
    return f"{name}, family {fields.get('cpu family')}, model {fields.get('model')}"


def one_torch_thread():
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)


def evaluate(task, act, seed, episodes=10):
    """Raw undiscounted returns of `episodes` episodes of `act(observation) -> action`, clipped to the action space."""
    import gymnasium
    import numpy

    env = gymnasium.make(task)
    returns = []
    for episode in range(episodes):
        obs, _ = env.reset(seed=10_000 + seed if episode == 0 else None)
        total, over = 0.0, False
        while not over:
            action = numpy.clip(act(obs), env.action_space.low, env.action_space.high)
            obs, reward, terminated, truncated, _ = env.step(action)
            total += float(reward)
            over = terminated or truncated
        returns.append(total)
    env.close()
    return returns


def window(marks, skip):
    """Steps per second between mark number `skip` and the last of `marks`, pairs of (seconds, steps)."""
    (start, first), (end, last) = marks[skip], marks[-1]
    return (last - first) / (end - start)


def fastest(marks, skip):
    """The fastest stretch between two marks that follow each other, from mark number `skip` on."""
    pairs = zip(marks[skip:], marks[skip + 1 :])
    return max((last - first) / (end - start) for (start, first), (end, last) in pairs)


def speeds(marks, skip):
    """The fields of a speed."""
    mean, best = window(marks, skip), fastest(marks, skip)
    return {"steps_per_second": round(mean, 1), "fastest": round(best, 1)}


def clock():
    return time.perf_counter()


def emit(**fields):
    """The one line on standard output."""
    print(json.dumps({**fields, **conditions()}), flush=True)
