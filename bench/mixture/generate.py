#!/usr/bin/env python3
"""Generation by btm and by transformers, in one run, in turn, on one thread.

Usage: generate.py BTM TEXT [ROUNDS]
TEXT is a folder of at least eight *.jsonl.gz files (data/demo). Makes a forest of eight experts (4 layers, width 192,
vocabulary 8192; trained for a moment only), and a model of GPT-2's smallest shape (124M parameters, random weights), and
times sampling from: the eight together, against a Python loop over eight transformers models with their caches that
mixes their probabilities by the same posterior; one expert, and the large model, against transformers' generate().
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

PROMPT, EXPERTS = "The first", 8
PRECISIONS = ("fp32", "bf16", "int8")
BYTES = {"fp32": 4, "bf16": 2, "int8": 1 + 4 / 64}  # of a weight
SHAPE = "{architecture: gpt2, layers: 4, width: 192, heads: 6, context: 256}"


def make_forest(btm: str, text: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    names = sorted(path.name.split(".")[0] for path in text.glob("*.jsonl.gz"))[:EXPERTS]
    assert len(names) == EXPERTS, f"{text} has fewer than {EXPERTS} texts"
    domains = "".join(f"  {name}: {{text: {text.resolve() / name}.jsonl.gz}}\n" for name in names)
    (folder / "plan.yaml").write_text(
        f"forest: {folder}/forest\ntokenizer: {{vocab_size: 8192}}\nmodel: {SHAPE}\n"
        f"training: {{batch_tokens: 2048}}\ndomains:\n{domains}seed: {{tokens: 20k}}\n"
        f"cycles:\n  - {{experts: [{', '.join(names)}], tokens: 4k, branch: {{from: seed}}}}\n"
        "evaluate: {tokens_per_domain: 300, dev_sequences: 2, mixtures: [ensemble]}\n"
    )
    subprocess.run([btm, "--quiet", "grow", folder / "plan.yaml"], check=True, stdout=subprocess.DEVNULL)
    return folder / "forest"


def make_large(forest: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    import shutil
    import transformers

    transformers.GPT2LMHeadModel(transformers.GPT2Config()).save_pretrained(folder / "large")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(forest / "tokenizer" / name, folder / "large")
    return folder / "large"


def count(text: str) -> float:
    return float(text[:-1]) * {"k": 1e3, "M": 1e6}[text[-1]] if text[-1] in "kM" else float(text)


def ours(btm: str, tokens: int, source: pathlib.Path, precision: str) -> float:
    done = subprocess.run(
        [btm, "generate", source, "--prompt", PROMPT, "--tokens", str(tokens), "--threads", "1", "--json",
         "--precision", precision],
        check=True, capture_output=True, text=True,
    )
    assert json.loads(done.stdout)["ended"] == "tokens", "the text ended early; change the prompt"
    return count(re.search(r"([\d.]+[kM]?) tokens/s", done.stderr).group(1))


def theirs(folders: list[str], tokens: int) -> list[float]:
    """Child process: tokens per second of three rounds, models loaded before."""
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    models = [transformers.AutoModelForCausalLM.from_pretrained(folder).eval() for folder in folders]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders[0])
    ids = tokenizer(PROMPT, return_tensors="pt").input_ids
    speeds = []
    for _ in range(3):
        start = time.perf_counter()
        with torch.inference_mode():
            if len(models) == 1:
                models[0].generate(ids, attention_mask=torch.ones_like(ids), do_sample=True, top_k=0, temperature=0.8,
                                   min_new_tokens=tokens, max_new_tokens=tokens, pad_token_id=0)
            else:
                mix(models, ids, tokens)
        speeds.append(tokens / (time.perf_counter() - start))
    return speeds


def mix(models: list, ids, tokens: int) -> None:
    import torch

    caches, evidence = [None] * len(models), torch.zeros(len(models))
    step = ids
    for _ in range(tokens):
        log_probs = []
        for j, model in enumerate(models):
            out = model(step, past_key_values=caches[j], use_cache=True)
            caches[j] = out.past_key_values
            log_probs.append(torch.log_softmax(out.logits[0, -1], -1))
        log_probs = torch.stack(log_probs)
        mixed = (torch.softmax(evidence, 0)[:, None] * log_probs.exp()).sum(0)
        token = torch.multinomial(torch.softmax(mixed.log() / 0.8, 0), 1)
        evidence += log_probs[:, token[0]]
        step = token[None]


def peer(folders: list[pathlib.Path], tokens: int) -> float:
    done = subprocess.run([sys.executable, __file__, "--peer", str(tokens), *map(str, folders)], check=True,
                          stdout=subprocess.PIPE, env={**os.environ, "TRANSFORMERS_OFFLINE": "1"})
    return max(json.loads(done.stdout.splitlines()[-1]))


def read_bandwidth() -> float:
    """Bytes per second that one thread reads from memory."""
    import torch

    torch.set_num_threads(1)
    values, best = torch.ones(250_000_000), 0.0
    for _ in range(5):
        start = time.perf_counter()
        values.sum()
        best = max(best, values.numel() * 4 / (time.perf_counter() - start))
    return best


def main() -> None:
    btm, text, rounds = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 3
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        forest = make_forest(btm, text, folder)
        large = make_large(forest, folder)
        experts = sorted(path.parent for path in forest.glob("experts/*/expert.json"))
        cases = {
            "ensemble of 8 experts, 4 x 192, vocabulary 8192": (forest, experts, 200),
            "one of them": (experts[0], experts[:1], 200),
            "124M parameters": (large, [large], 50),
        }
        speed = {(case, precision): [] for case in cases for precision in (*PRECISIONS, "transformers")}
        for _ in range(rounds):
            for case, (source, folders, tokens) in cases.items():
                for precision in PRECISIONS:
                    speed[case, precision].append(ours(btm, tokens, source, precision))
                speed[case, "transformers"].append(peer(folders, tokens))
        bandwidth = read_bandwidth()
        for (case, precision), found in speed.items():
            ratio = statistics.median(found) / statistics.median(speed[case, "transformers"])
            weights = sum((path / "model.safetensors").stat().st_size for path in cases[case][1]) / 4
            used = statistics.median(found) * weights * BYTES.get(precision, 4) / bandwidth
            print(f"{case}, {precision}: {min(found):.0f} to {max(found):.0f} tokens/s, median {ratio:.2f} x "
                  f"transformers, {used:.2f} of the bandwidth that one thread reads with")
        one, all_experts = list(cases)[1], list(cases)[0]
        for precision in PRECISIONS:
            cost = statistics.median(speed[one, precision]) / statistics.median(speed[all_experts, precision]) / EXPERTS
            print(f"ensemble of 8 against 8 times one alone, {precision}: {cost:.3f} x the time")


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        print(json.dumps(theirs(sys.argv[3:], int(sys.argv[2]))))
    else:
        main()
