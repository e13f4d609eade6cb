"""Tokens per second of Hugging Face transformers and TRL on the processor: one JSON line for each case and what.

`sample` is `generate` with a cache of keys and values, `train` one update of a policy gradient, `step` one whole step of
TRL's GRPOTrainer: sampling, rewards and update. The weights are random, since a speed does not depend on them, and no
answer ends early. The cases are called as our benchmarks, `llm/WHAT/CASE`.
"""

import argparse
import os
import tempfile
import time
import warnings

import common

# Nothing is loaded, so nothing may be asked for; and PyTorch alone, in one process.
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")

# Layers, width, heads, heads of keys and values, width of the feed-forward part, vocabulary.
NETWORKS = {
    "small": (4, 128, 4, 2, 384, 30),
    # The shape of SmolLM2-135M.
    "smollm2": (30, 576, 9, 3, 1536, 49152),
}
# Prompts, answers to each, tokens of a prompt, tokens of an answer. `train` takes all of them as one batch.
CASES = {
    "sample/small": (32, 8, 16, 32),
    "train/small": (32, 8, 16, 32),
    "step/small": (8, 8, 16, 24),
    "sample/smollm2": (8, 8, 40, 40),
    "train/smollm2": (2, 8, 40, 40),
    "step/smollm2": (8, 8, 16, 24),
}
# The last word of the vocabulary ends an answer, the one before it fills up short ones.
END, PAD = -1, -2


def network(name):
    """A Llama of the case's shape with random weights, in 32-bit floats and with tied embeddings."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    layers, width, heads, key_heads, feed_forward, vocabulary = NETWORKS[name]
    torch.manual_seed(0)
    config = LlamaConfig(
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        intermediate_size=feed_forward,
        vocab_size=vocabulary,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
        attn_implementation="sdpa",
    )
    model = LlamaForCausalLM(config)
    if model.dtype != torch.float32:
        raise SystemExit(f"the weights are {model.dtype}, not 32-bit floats")
    return model


def sampling(model, case):
    """A function that samples the answers of the case, and the tokens that count: the new ones."""
    import torch

    prompts, answers, asked, new = CASES[case]
    ids = torch.randint(model.config.vocab_size, (prompts, asked)).repeat_interleave(answers, 0)
    model.eval()

    def sample():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=new,
            use_cache=True,
        )
        if out.shape != (prompts * answers, asked + new):
            raise SystemExit(f"the answers of {case} have the shape {tuple(out.shape)}")

    return sample, prompts * answers * new


def training(model, case):
    """A function that makes one update of the case, and the tokens that count: those of prompts and answers."""
    import torch
    from torch.nn import functional

    prompts, answers, asked, new = CASES[case]
    rows = prompts * answers
    ids = torch.randint(model.config.vocab_size, (rows, asked + new))
    advantages = torch.randn(rows, 1)
    model.train()
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)

    def update():
        adamw.zero_grad()
        # The last token predicts nothing, and no logits are made for the prompts.
        logits = model(ids[:, :-1], use_cache=False, logits_to_keep=new).logits
        negative = functional.cross_entropy(logits.flatten(0, 1), ids[:, -new:].flatten(), reduction="none")
        loss = (advantages * negative.view(rows, new)).mean()
        loss.backward()
        adamw.step()
        if not loss.isfinite():
            raise SystemExit(f"the loss of {case} is {loss}: a speed with such numbers says nothing")

    return update, rows * (asked + new)


def times(function, seconds):
    """The seconds and the CPU seconds of each call, at least one, until `seconds` are over; another call before them."""
    function()
    found, end = [], common.clock() + seconds
    while not found or common.clock() < end:
        start, cpu = common.clock(), time.process_time()
        function()
        found.append((common.clock() - start, time.process_time() - cpu))
    return found


def tokenizer(vocabulary):
    """Words `w0`, `w1`, … with spaces between them, one token each."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [f"w{number}" for number in range(vocabulary)]
    inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="w0"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="w0",
        eos_token=words[END],
        pad_token=words[PAD],
        padding_side="left",
    )


def reward(lengths):
    """The share of words with an even number: it differs between the answers to a prompt. Adds their tokens to `lengths`."""

    def even(completions, completion_ids, **_):
        lengths.update(len(ids) for ids in completion_ids)
        answers = (completion.split() for completion in completions)
        return [sum(word[-1] in "02468" for word in answer) / max(len(answer), 1) for answer in answers]

    return even


def trainer(model, case, folder, even, clock):
    """TRL's trainer for the case with the reward `even`. It calls `clock` after every step, which says whether to go on."""
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    prompts, answers, asked, new = CASES[case]

    class Clock(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            control.should_training_stop = not clock()

    # Words of every part of the vocabulary but the last two.
    words = model.config.vocab_size - 2
    rows = (range(asked * row, asked * (row + 1)) for row in range(16 * prompts))
    texts = [" ".join(f"w{11 * place % words}" for place in row) for row in rows]
    processing = tokenizer(model.config.vocab_size)
    if any(len(ids) != asked for ids in processing(texts)["input_ids"]):
        raise SystemExit(f"the prompts of {case} do not have {asked} tokens")
    config = GRPOConfig(
        output_dir=folder,
        per_device_train_batch_size=prompts * answers,
        num_generations=answers,
        max_completion_length=new,
        # Forbids the end, so that every answer has the same length.
        generation_kwargs={"min_new_tokens": new},
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        beta=0.0,
        loss_type="dapo",
        use_vllm=False,
        use_cpu=True,
        # TRL's defaults are 16-bit floats and, to save memory, a second forward pass.
        bf16=False,
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        max_steps=1000,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    made = GRPOTrainer(
        model=model,
        reward_funcs=even,
        args=config,
        train_dataset=Dataset.from_dict({"prompt": texts}),
        processing_class=processing,
        callbacks=[Clock()],
    )
    # It writes on standard output.
    made.remove_callback(PrinterCallback)
    return made


def step_times(model, case, seconds):
    """The seconds and CPU seconds of each step of TRL, at least one, until `seconds` are over; another step before them."""
    marks = []

    def clock():
        marks.append((common.clock(), time.process_time()))
        return len(marks) < 2 or marks[-1][0] - marks[0][0] < seconds

    lengths = set()
    with tempfile.TemporaryDirectory() as folder:
        trainer(model, case, folder, reward(lengths), clock).train()
    if lengths != {CASES[case][3]}:
        raise SystemExit(f"the answers of {case} have {lengths} tokens")
    return [(end - start, used - before) for (start, before), (end, used) in zip(marks, marks[1:])]


def prepare(threads, precision):
    """What has to be said before anything is computed."""
    common.use_threads(threads)
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.set_float32_matmul_precision(precision)
    # TRL's and PyTorch's words about what is to come in later versions.
    warnings.filterwarnings("ignore")


def measure(what, name, precision, seconds):
    """Measures one case and prints its line."""
    model = network(name)
    case = f"{what}/{name}"
    prompts, answers, asked, new = CASES[case]
    packages = ["torch", "transformers"]
    if what == "step":
        tokens = prompts * answers * (asked + new)
        found = step_times(model, case, seconds)
        packages.append("trl")
    else:
        function, tokens = {"sample": sampling, "train": training}[what](model, case)
        found = times(function, seconds)
    walls, used = zip(*found)
    common.emit(
        what=what,
        library="trl" if what == "step" else "transformers",
        case=name,
        precision=precision,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        sequences=prompts * answers,
        prompt_tokens=asked,
        answer_tokens=new,
        tokens=tokens,
        repetitions=len(walls),
        seconds=round(sum(walls) / len(walls), 3),
        tokens_per_second=round(tokens * len(walls) / sum(walls), 1),
        fastest=round(tokens / min(walls), 1),
        # Below the number of threads means that others had the cores.
        cpu_share=round(sum(used) / sum(walls), 2),
        versions=common.versions(*packages),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=NETWORKS, help="default: both, one after the other")
    parser.add_argument("--what", choices=["sample", "train", "step"], help="default: all, one after the other")
    parser.add_argument("--precision", choices=["highest", "medium"], default="highest", help="of products in torch")
    parser.add_argument("--threads", type=int, choices=[1, 2], default=1)
    parser.add_argument("--seconds", type=float, default=15.0, help="of repetitions, about; at least one is made")
    args = parser.parse_args()
    prepare(args.threads, args.precision)
    for name in [args.case] if args.case else NETWORKS:
        for what in [args.what] if args.what else ["sample", "train", "step"]:
            measure(what, name, args.precision, args.seconds)


if __name__ == "__main__":
    main()
