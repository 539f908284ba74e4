"""Checkpoints saved by transformers and averages made by numpy, for tests/model/{checkpoint,average}_test.cpp.

OUT/NAME/                 a checkpoint folder
OUT/NAME.values/          its parameters: index.json [[name, shape, offset]], values.bin (float32, one after the other)
OUT/average_{f32,...}/    three folders a, b, c and the numbers of their weighted mean as in NAME.values
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

WEIGHTS = [3.0, 1.0, 0.5]


def gpt2(seed):
    torch.manual_seed(seed)
    config = GPT2Config(vocab_size=97, n_positions=16, n_embd=24, n_layer=2, n_head=4)
    model = GPT2LMHeadModel(config)
    perturb(model)
    return model


def llama(seed, tied, family=(LlamaConfig, LlamaForCausalLM)):
    torch.manual_seed(seed)
    config = family[0](vocab_size=97, max_position_embeddings=16, hidden_size=24, intermediate_size=40,
                         num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=tied)
    model = family[1](config)
    perturb(model)
    return model


def perturb(model):
    """Biases and norms are constant in a fresh model: swapped ones would not show."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)


def write_values(folder, tensors):
    folder.mkdir(parents=True, exist_ok=True)
    index, offset = [], 0
    with open(folder / "values.bin", "wb") as file:
        for name, values in tensors.items():
            file.write(np.ascontiguousarray(values, dtype=np.float32).tobytes())
            index.append([name, list(values.shape), offset])
            offset += int(np.prod(values.shape))
    (folder / "index.json").write_text(json.dumps(index))


def save(out, name, model, dtype=torch.float32, **options):
    model = model.to(dtype)
    model.save_pretrained(out / name, **options)
    write_values(out / f"{name}.values", {n: p.detach().float().numpy() for n, p in model.named_parameters()})


def save_like_the_hub(out, name, model):
    """The first GPT-2 on the hub: no prefix, causal masks among the tensors, the tied head as a tensor of its own."""
    save(out, name, model)
    path = out / name / "model.safetensors"
    tensors = {n.removeprefix("transformer."): t for n, t in load_file(path).items()}
    tensors["lm_head.weight"] = tensors["wte.weight"].clone()
    for layer in range(model.config.n_layer):
        tensors[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 16, 16, dtype=torch.bool).tril()
        tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(tensors, path, metadata={"format": "pt"})


def nearest(values, dtype):
    """float64 rounded once to dtype: of torch's twice-rounded result and its two neighbours the nearest, ties to even."""
    first = torch.from_numpy(values).to(dtype).view(torch.int16)
    best, best_error = None, None
    for step in (0, -1, 1):
        candidate = first + step
        error = (candidate.view(dtype).double().numpy() - values).__abs__()
        even = (candidate % 2 == 0).numpy()
        if best is None:
            best, best_error, best_even = candidate.numpy().copy(), error, even
            continue
        better = (error < best_error) | ((error == best_error) & even & ~best_even)
        best[better], best_error[better], best_even[better] = candidate.numpy()[better], error[better], even[better]
    return torch.from_numpy(best).view(dtype).float().numpy()


def average(out, name, dtypes, shard_size=None):
    """Sources of the given dtypes, of which b is sharded or all have a buffer of integers; the result has a's dtype."""
    weights = np.array(WEIGHTS) / np.sum(WEIGHTS)
    sums = {}
    for i, (letter, dtype) in enumerate(zip("abc", dtypes)):
        model = gpt2(100 + i).to(dtype)
        folder = out / name / letter
        options = {"max_shard_size": shard_size} if shard_size and letter == "b" else {}
        model.save_pretrained(folder, **options)
        (folder / "tokenizer.json").write_text('{"model": "the same in all"}')
        if not shard_size:
            path = folder / "model.safetensors"
            save_file(load_file(path) | {"buffer": torch.arange(3)}, path, metadata={"format": "pt"})
        for key, value in model.named_parameters():
            term = weights[i] * value.detach().double().numpy()
            sums[key] = term if i == 0 else sums[key] + term
    dtype = dtypes[0]
    result = {n: s.astype(np.float32) if dtype == torch.float32 else nearest(s, dtype) for n, s in sums.items()}
    write_values(out / f"{name}.values", result)


def main(folder):
    save(folder, "gpt2", gpt2(1))
    save(folder, "gpt2_bf16", gpt2(2), torch.bfloat16)
    save(folder, "gpt2_f16_sharded", gpt2(3), torch.float16, max_shard_size="8KB")
    save_like_the_hub(folder, "gpt2_hub", gpt2(4))
    save(folder, "llama", llama(5, tied=False))
    save(folder, "llama_tied_bf16", llama(6, tied=True), torch.bfloat16)
    save(folder, "llama_sharded", llama(7, tied=False), max_shard_size="16KB")
    save(folder, "qwen2", llama(8, tied=False, family=(Qwen2Config, Qwen2ForCausalLM)))
    average(folder, "average_f32", [torch.float32] * 3, shard_size="16KB")
    average(folder, "average_bf16", [torch.bfloat16] * 3)
    average(folder, "average_f16_mixed", [torch.float16, torch.float32, torch.bfloat16])
