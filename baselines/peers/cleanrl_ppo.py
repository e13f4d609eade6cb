"""Runs `ppo_continuous_action` of the installed package `cleanrl` unchanged, with stand-ins for what it imports.

The file (0.4.8, of 2021, the last on the package registry) is a script for the package `gym`, which is no longer
maintained. Everything that is adapted stands here:

- `gym` is a module of ours that makes Gymnasium's environments and gives them gym's old interface: `reset()` returns
  the observation alone, `step` four values, `seed` sets the seed of the next reset. `RecordEpisodeStatistics` of the
  same module sums the raw rewards.
- `DummyVecEnv` of Stable-Baselines3 2 wants Gymnasium's interface, so each environment is translated back there.
- `pybullet_envs` is empty; the script imports it for its registrations only.
- `torch.utils.tensorboard.SummaryWriter` keeps scalars in memory.

The arguments, networks, normalisation, losses and the loop are the script's own.
"""

import contextlib
import os
import runpy
import sys
import types

import gymnasium
import numpy

from common import clock

SCRIPT = "cleanrl.ppo_continuous_action"


class Env:
    """gym's old interface on one of Gymnasium's environments."""

    def __init__(self, env):
        self.env, self.next_seed = env, None
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def seed(self, seed):
        self.next_seed = seed

    def reset(self):
        seed, self.next_seed = self.next_seed, None
        return self.env.reset(seed=seed)[0]

    def step(self, action):
        obs, reward, terminated, truncated, info = self.env.step(action)
        return obs, reward, terminated or truncated, info

    def close(self):
        self.env.close()


class Wrapper:
    """gym's old wrapper: whatever it does not define is the wrapped environment's."""

    def __init__(self, env):
        self.env = env

    def __getattr__(self, name):
        if name.startswith("__") or name == "env":
            raise AttributeError(name)
        return getattr(self.env, name)

    def reset(self):
        return self.env.reset()

    def step(self, action):
        return self.env.step(action)


class RecordEpisodeStatistics(Wrapper):
    """`info["episode"]["r"]` at the end of an episode: its return."""

    def reset(self):
        self.total = 0.0
        return self.env.reset()

    def step(self, action):
        obs, reward, done, info = self.env.step(action)
        self.total += reward
        if done:
            info = {**info, "episode": {"r": self.total}}
        return obs, reward, done, info


class Translated(gymnasium.Env):
    """Gymnasium's interface again, for `DummyVecEnv`."""

    def __init__(self, env):
        self.old = env
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def reset(self, *, seed=None, options=None):
        return self.old.reset(), {}

    def step(self, action):
        obs, reward, done, info = self.old.step(action)
        return obs, numpy.asarray(reward).item(), done, False, info

    def close(self):
        self.old.close()


class Log:
    """`SummaryWriter` in memory: `scalars[name]` is a list of (seconds, step, value)."""

    def __init__(self):
        self.scalars = {}

    def __call__(self, folder):
        return self

    def add_scalar(self, name, value, step):
        self.scalars.setdefault(name, []).append((clock(), step, float(value)))

    def add_text(self, name, text):
        pass

    def close(self):
        pass


def modules(log):
    """The stand-ins by the names that the script imports."""
    import stable_baselines3.common.vec_env as vec_env

    class DummyVecEnv(vec_env.DummyVecEnv):
        def __init__(self, makers):
            super().__init__([lambda make=make: Translated(make()) for make in makers])

    def module(name, **fields):
        made = types.ModuleType(name)
        made.__dict__.update(fields)
        return made

    spaces = gymnasium.spaces
    core = module("gym.core", Wrapper=Wrapper)
    wrappers = module(
        "gym.wrappers", RecordEpisodeStatistics=RecordEpisodeStatistics, TimeLimit=Wrapper, Monitor=Wrapper
    )
    gym = module("gym", core=core, wrappers=wrappers, spaces=spaces, Wrapper=Wrapper)
    gym.make = lambda name: Env(gymnasium.make(name))
    names = {name: getattr(vec_env, name) for name in ["SubprocVecEnv", "VecEnvWrapper"]}
    return {
        "gym": gym,
        "gym.core": core,
        "gym.wrappers": wrappers,
        "gym.spaces": spaces,
        "pybullet_envs": module("pybullet_envs"),
        "torch.utils.tensorboard": module("torch.utils.tensorboard", SummaryWriter=log),
        "stable_baselines3.common.vec_env": module("vec_env", DummyVecEnv=DummyVecEnv, **names),
    }


def train(task, seed, steps):
    """Trains with the script's defaults; returns its log, the seconds since its start, and a deterministic policy."""
    import torch

    log = Log()
    saved = {**sys.modules}, sys.argv
    sys.modules.update(modules(log))
    sys.argv = [SCRIPT, "--gym-id", task, "--seed", str(seed), "--total-timesteps", str(steps)]
    sys.argv += ["--cuda", "False", "--capture-video", "False"]
    start = clock()
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
            state = runpy.run_module(SCRIPT, run_name="__main__")
    finally:
        for name in modules(log):
            sys.modules.pop(name)
        sys.modules.update({name: saved[0][name] for name in saved[0]})
        sys.argv = saved[1]
    seconds = clock() - start
    agent, normalized = state["agent"], state["envs"].venv.envs[0].old
    rms = normalized.ob_rms

    def act(obs):
        scaled = (obs - rms.mean) / numpy.sqrt(rms.var + normalized.epsilon)
        scaled = numpy.clip(scaled, -normalized.clipob, normalized.clipob)
        with torch.no_grad():
            return agent.actor_mean(torch.from_numpy(scaled).float()).numpy()

    return log, start, seconds, act
