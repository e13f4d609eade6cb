"""Steps per second of a peer's PPO on HalfCheetah, rollouts and updates together: one JSON line.

8 environments with 2048 steps each (CleanRL: its default of 1 environment), batches of 64, 10 epochs, two hidden layers
of 64, observations and rewards normalised. The first iteration is left out, since compilation is in it.
"""

import argparse

import common

TASK = "HalfCheetah-v5"
ROLLOUT = 2048


def cleanrl(iterations, seed):
    import cleanrl_ppo

    log, start, _, _ = cleanrl_ppo.train(TASK, seed, ROLLOUT * iterations)
    return 1, [(start, 0)] + [(seconds, step) for seconds, step, _ in log.scalars["charts/learning_rate"]]


def baselines(library, iterations, seed):
    import gymnasium
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    if library == "sb3":
        from stable_baselines3 import PPO
    else:
        from sbx import PPO
    found = []

    class Marks(BaseCallback):
        def mark(self):
            found.append((common.clock(), self.num_timesteps))

        def _on_rollout_start(self):
            self.mark()

        def _on_training_end(self):
            self.mark()

        def _on_step(self):
            return True

    envs = 8
    venv = VecNormalize(DummyVecEnv([lambda: gymnasium.make(TASK) for _ in range(envs)]), gamma=0.99)
    model = PPO(
        "MlpPolicy",
        venv,
        n_steps=ROLLOUT,
        batch_size=64,
        n_epochs=10,
        policy_kwargs={"net_arch": {"pi": [64, 64], "vf": [64, 64]}},
        seed=seed,
        device="cpu",
    )
    model.learn(envs * ROLLOUT * iterations, callback=Marks())
    return envs, found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", choices=["sb3", "sbx", "cleanrl"], required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--iterations", type=int, help="the first included (default: 4; CleanRL 8, as its are shorter)")
    args = parser.parse_args()
    common.one_torch_thread()
    if args.library == "cleanrl":
        envs, found = cleanrl(args.iterations or 8, args.seed)
    else:
        envs, found = baselines(args.library, args.iterations or 4, args.seed)
    packages = {
        "sb3": ["stable-baselines3", "torch"],
        "sbx": ["sbx-rl", "jax", "jaxlib"],
        "cleanrl": ["cleanrl", "torch"],
    }[args.library]
    common.emit(
        what="ppo_speed",
        library=args.library,
        task=TASK,
        envs=envs,
        iterations=len(found) - 2,
        **common.speeds(found, 1),
        versions=common.versions(*packages, "gymnasium", "mujoco", "numpy"),
    )


if __name__ == "__main__":
    main()
