"""What every script here shares: one thread, the conditions of a measurement, the final evaluation.

Import it before numpy, torch or jax: they read these variables when they are loaded.
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
if hasattr(os, "sched_setaffinity"):
    # The last core that is allowed: XLA has threads that no variable takes away.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
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
        "threads": 1,
        # Above 1 means that something else was running too.
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
