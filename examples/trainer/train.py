#!/usr/bin/env python3
"""A trainer of somebody else for btm: PyTorch and transformers, a checkpoint in, a checkpoint out.

    trainer: {command: "python3 examples/trainer/train.py --init {init} --output {output} --count {token_count} --threads {threads} --tokens {tokens}"}
"""
import argparse
import math
import pathlib
import signal

import numpy
import torch
from transformers import AutoModelForCausalLM

DTYPES = {4: numpy.int32, 8: numpy.uint16}  # codes of Megatron-LM's index


def read_tokens(folder):
    """The train tokens of a domain, its documents laid end to end."""
    index = (pathlib.Path(folder) / "train.idx").read_bytes()
    return numpy.fromfile(pathlib.Path(folder) / "train.bin", dtype=DTYPES[index[17]])


parser = argparse.ArgumentParser()
parser.add_argument("--init", required=True)
parser.add_argument("--output", required=True, type=pathlib.Path)
parser.add_argument("--count", required=True, type=int, help="tokens to train on")
parser.add_argument("--tokens", required=True, nargs="+", help="a folder for each domain")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--batch", type=int, default=16, help="sequences")
parser.add_argument("--learning-rate", type=float, default=1e-3)
a = parser.parse_args()

signal.signal(signal.SIGTERM, lambda *_: exit(143))
torch.manual_seed(1)
torch.set_num_threads(a.threads)
model = AutoModelForCausalLM.from_pretrained(a.init, dtype=torch.float32)
length = model.config.max_position_embeddings
domains = [torch.from_numpy(read_tokens(folder).astype(numpy.int64)) for folder in a.tokens]
optimiser = torch.optim.AdamW(model.parameters(), lr=a.learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
updates = max(1, a.count // (a.batch * length))
for update in range(updates):
    for group in optimiser.param_groups:
        group["lr"] = a.learning_rate * 0.5 * (1 + math.cos(math.pi * update / updates))
    batch = []
    for i in range(a.batch):  # the domains in turn
        tokens = domains[(update * a.batch + i) % len(domains)]
        start = torch.randint(len(tokens) - length, ()).item()
        batch.append(tokens[start : start + length])
    loss = model(input_ids=torch.stack(batch), labels=torch.stack(batch)).loss
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    if update % 10 == 0:
        print(f"update {update} of {updates}: loss {loss.item():.3f}", flush=True)
model.save_pretrained(a.output)
