"""Trains PPO of a peer and prints what return it reached: one JSON line."""

import argparse

import common

ROLLOUT = 2048
LAST = 20_000


def cleanrl(task, seed, steps):
    import cleanrl_ppo

    log, _, seconds, act = cleanrl_ppo.train(task, seed, steps)
    episodes = [(step, value) for _, step, value in log.scalars["charts/episode_reward"]]
    return episodes, seconds, act


def sb3(task, seed, steps):
    """Stable-Baselines3 with CleanRL's settings; what differs all the same is in the README."""
    import gymnasium
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    episodes = []

    class Episodes(BaseCallback):
        def _on_step(self):
            ended = [info["episode"]["r"] for info in self.locals["infos"] if "episode" in info]
            episodes.extend((self.num_timesteps, value) for value in ended)
            return True

    venv = VecNormalize(DummyVecEnv([lambda: Monitor(gymnasium.make(task))]), gamma=0.99)
    model = PPO(
        "MlpPolicy",
        venv,
        learning_rate=lambda left: 3e-4 * left,
        n_steps=ROLLOUT,
        batch_size=64,
        n_epochs=10,
        gamma=0.99,
        gae_lambda=0.95,
        clip_range=0.2,
        clip_range_vf=0.2,
        ent_coef=0.0,
        # CleanRL's 0.5 stands before half the squared error, this one before the whole.
        vf_coef=0.25,
        max_grad_norm=0.5,
        policy_kwargs={"net_arch": {"pi": [64, 64], "vf": [64, 64]}, "log_std_init": 0.0},
        seed=seed,
        device="cpu",
    )
    start = common.clock()
    model.learn(steps, callback=Episodes())
    seconds = common.clock() - start

    def act(obs):
        return model.predict(venv.normalize_obs(obs), deterministic=True)[0]

    return episodes, seconds, act


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", choices=["cleanrl", "sb3"], required=True)
    parser.add_argument("--task", default="HalfCheetah-v5")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=300_000)
    args = parser.parse_args()
    common.one_torch_thread()
    # Whole rollouts only: CleanRL rounds down, Stable-Baselines3 would round up.
    steps = args.steps // ROLLOUT * ROLLOUT
    train = {"cleanrl": cleanrl, "sb3": sb3}[args.library]
    episodes, seconds, act = train(args.task, args.seed, steps)
    returns = common.evaluate(args.task, act, args.seed)
    last = [value for step, value in episodes if step > steps - LAST]
    package = {"cleanrl": "cleanrl", "sb3": "stable-baselines3"}[args.library]
    common.emit(
        what="ppo_returns",
        library=args.library,
        task=args.task,
        seed=args.seed,
        steps=steps,
        eval_return=sum(returns) / len(returns),
        eval_returns=returns,
        train_return=sum(last) / len(last) if last else None,
        train_episodes=len(last),
        seconds=round(seconds, 1),
        steps_per_second=round(steps / seconds, 1),
        versions=common.versions(package, "torch", "gymnasium", "mujoco", "numpy"),
    )


if __name__ == "__main__":
    main()
