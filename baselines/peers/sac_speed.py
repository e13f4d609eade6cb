"""Steps per second of a peer's SAC on HalfCheetah, one update a step: one JSON line.

Two hidden layers of 256 without LayerNorm in actor and critics, batches of 256. The measured window starts after steps
with updates, so that compilation lies outside.
"""

import argparse

import common

TASK = "HalfCheetah-v5"
STARTS = 1000


def marks(library, steps, every, seed):
    """Pairs of (seconds, steps), one at the first update and then one each `every` steps."""
    from stable_baselines3.common.callbacks import BaseCallback

    if library == "sb3":
        from stable_baselines3 import SAC
    else:
        from sbx import SAC
    found = []

    class Marks(BaseCallback):
        def _on_step(self):
            since = self.num_timesteps - STARTS
            if since >= 0 and since % every == 0:
                found.append((common.clock(), self.num_timesteps))
            return True

    model = SAC(
        "MlpPolicy",
        TASK,
        learning_starts=STARTS,
        batch_size=256,
        train_freq=1,
        gradient_steps=1,
        policy_kwargs={"net_arch": [256, 256]},
        seed=seed,
        device="cpu",
    )
    model.learn(STARTS + steps, callback=Marks())
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", choices=["sb3", "sbx"], required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--warm-up", type=int, default=500, help="steps with updates before the window")
    parser.add_argument("--window", type=int, default=3000, help="steps of the window")
    args = parser.parse_args()
    common.one_torch_thread()
    every = 100
    found = marks(args.library, args.warm_up + args.window, every, args.seed)
    packages = {"sb3": ["stable-baselines3", "torch"], "sbx": ["sbx-rl", "jax", "jaxlib"]}[args.library]
    common.emit(
        what="sac_speed",
        library=args.library,
        task=TASK,
        window=args.window,
        **common.speeds(found, -(-args.warm_up // every)),
        versions=common.versions(*packages, "gymnasium", "mujoco", "numpy"),
    )


if __name__ == "__main__":
    main()
