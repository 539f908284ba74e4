"""Training speed of PyTorch on a decoder-only Transformer: what our trainer is measured against.

As a careful PyTorch user writes it: scaled_dot_product_attention, fused AdamW, clipping, no dropout, a tied head for gpt2;
--compile and bf16 autocast as options. Random tokens. Prints one JSON line.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    defaults = dict(layers=6, width=384, heads=6, context=512, vocab=8192, sequences=8, threads=1, warmup=3, steps=10)
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--architecture", choices=["gpt2", "llama"], default="gpt2")
    parser.add_argument("--hidden", type=int, default=0)
    parser.add_argument("--kv-heads", type=int, default=0)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    options.hidden = options.hidden or 4 * options.width
    options.kv_heads = options.kv_heads or options.heads
    return options


class Attention(nn.Module):
    def __init__(self, o: argparse.Namespace):
        super().__init__()
        self.heads, self.kv_heads, bias = o.heads, o.kv_heads, o.architecture == "gpt2"
        self.widths = [o.width] + 2 * [o.width // o.heads * o.kv_heads]
        self.qkv = nn.Linear(o.width, sum(self.widths), bias=bias)
        self.out = nn.Linear(o.width, o.width, bias=bias)

    def forward(self, x: torch.Tensor, rotation: tuple | None) -> torch.Tensor:
        batch, time_, width = x.shape
        parts = self.qkv(x).split(self.widths, dim=-1)
        heads = (self.heads, self.kv_heads, self.kv_heads)
        q, k, v = (part.view(batch, time_, n, -1).transpose(1, 2) for part, n in zip(parts, heads))
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.kv_heads < self.heads)
        return self.out(mixed.transpose(1, 2).reshape(batch, time_, width))


def rotate(x: torch.Tensor, rotation: tuple) -> torch.Tensor:
    cosines, sines = rotation
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat((-second, first), dim=-1) * sines


class Gpt2Mlp(nn.Module):
    def __init__(self, o: argparse.Namespace):
        super().__init__()
        self.up, self.down = nn.Linear(o.width, o.hidden), nn.Linear(o.hidden, o.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(functional.gelu(self.up(x), approximate="tanh"))


class LlamaMlp(nn.Module):
    def __init__(self, o: argparse.Namespace):
        super().__init__()
        self.gate, self.up = (nn.Linear(o.width, o.hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(o.hidden, o.width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    def __init__(self, o: argparse.Namespace):
        super().__init__()
        norm = nn.LayerNorm if o.architecture == "gpt2" else nn.RMSNorm
        self.before_attention, self.before_mlp = norm(o.width), norm(o.width)
        self.attention = Attention(o)
        self.mlp = Gpt2Mlp(o) if o.architecture == "gpt2" else LlamaMlp(o)

    def forward(self, x: torch.Tensor, rotation: tuple | None) -> torch.Tensor:
        x = x + self.attention(self.before_attention(x), rotation)
        return x + self.mlp(self.before_mlp(x))


class Transformer(nn.Module):
    def __init__(self, o: argparse.Namespace):
        super().__init__()
        gpt2 = o.architecture == "gpt2"
        self.tokens = nn.Embedding(o.vocab, o.width)
        self.positions = nn.Embedding(o.context, o.width) if gpt2 else None
        self.blocks = nn.ModuleList(Block(o) for _ in range(o.layers))
        self.norm = nn.LayerNorm(o.width) if gpt2 else nn.RMSNorm(o.width)
        self.head = nn.Linear(o.width, o.vocab, bias=False)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.02)
        if gpt2:
            self.head.weight = self.tokens.weight
            return
        half = o.width // o.heads // 2
        angles = torch.outer(torch.arange(o.context), 10000.0 ** (-torch.arange(half) / half)).repeat(1, 2)
        self.register_buffer("cosines", angles.cos())
        self.register_buffer("sines", angles.sin())

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x, rotation = self.tokens(inputs), None
        if self.positions is not None:
            x = x + self.positions.weight
        else:
            rotation = (self.cosines, self.sines)
        for block in self.blocks:
            x = block(x, rotation)
        return functional.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


def main() -> None:
    o = arguments()
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    model = Transformer(o).to(o.device)
    run = torch.compile(model) if o.compile else model
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    data = torch.randint(o.vocab, (o.sequences, o.context + 1), device=o.device)

    def update() -> float:
        with torch.autocast(o.device, torch.bfloat16, enabled=o.precision == "bf16"):
            loss = run(data[:, :-1], data[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss.item()  # waits for the device, too

    for _ in range(o.warmup):
        update()
    times = []
    for _ in range(o.steps):
        start = time.perf_counter()
        update()
        times.append(time.perf_counter() - start)
    tokens = o.sequences * o.context
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if o.device != "cpu":
        peak = torch.cuda.max_memory_allocated()
    print(json.dumps({"tokens_per_second": round(tokens / statistics.median(times)), "best": round(tokens / min(times)),
                      "peak_memory_bytes": peak, "parameters": sum(w.numel() for w in model.parameters()),
                      "torch": torch.__version__}))


if __name__ == "__main__":
    main()
