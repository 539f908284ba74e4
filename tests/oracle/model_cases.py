"""Reference values of the Transformer, made by transformers and PyTorch autograd.

OUT/cases.json lists the cases; CASE.bin holds their arrays one after the other, each as little-endian float32 or int32.
Weights and gradients are named as in transformers' state_dict; a tied head is left out.
"""
import json
import pathlib

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM


def gpt2(layers, width, heads, context, vocab, tied=True, hidden=None):
    return GPT2LMHeadModel(GPT2Config(n_layer=layers, n_embd=width, n_head=heads, n_positions=context, vocab_size=vocab,
                                      n_inner=hidden, tie_word_embeddings=tied,
                                      bos_token_id=0, eos_token_id=0, attn_implementation="eager"))


def llama(layers, width, heads, kv_heads, hidden, context, vocab, tied=False, theta=10000.0, epsilon=1e-6, **scaling):
    return LlamaForCausalLM(LlamaConfig(
        num_hidden_layers=layers, hidden_size=width, num_attention_heads=heads, num_key_value_heads=kv_heads,
        intermediate_size=hidden, max_position_embeddings=context, vocab_size=vocab, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": theta} | scaling, rms_norm_eps=epsilon,
        bos_token_id=0, eos_token_id=0, attn_implementation="eager"))


def qwen2(layers, width, heads, kv_heads, hidden, context, vocab, tied):
    return Qwen2ForCausalLM(Qwen2Config(
        num_hidden_layers=layers, hidden_size=width, num_attention_heads=heads, num_key_value_heads=kv_heads,
        intermediate_size=hidden, max_position_embeddings=context, vocab_size=vocab, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6}, bos_token_id=0, eos_token_id=0, attn_implementation="eager"))


# name: (model, sequences, length)
CASES = {
    "gpt2": lambda: (gpt2(2, 96, 3, 40, 500), 3, 40),
    "gpt2_untied": lambda: (gpt2(1, 36, 4, 24, 77, tied=False, hidden=50), 2, 17),
    "gpt2_long": lambda: (gpt2(1, 32, 2, 200, 300), 7, 200),
    "llama": lambda: (llama(2, 96, 3, 3, 200, 40, 500), 3, 40),
    "llama_grouped": lambda: (llama(2, 96, 6, 2, 130, 150, 333, theta=500000.0), 2, 150),
    "llama_tied": lambda: (llama(1, 40, 4, 1, 60, 33, 77, tied=True, epsilon=1e-5), 2, 33),
    "llama_linear": lambda: (llama(1, 48, 3, 3, 60, 30, 77, rope_type="linear", factor=2.5), 2, 30),
    # of 16 frequencies some are divided, some not, some by half
    "llama_scaled": lambda: (llama(2, 96, 3, 1, 130, 150, 200, rope_type="llama3", factor=8.0, low_freq_factor=1.0,
                                   high_freq_factor=4.0, original_max_position_embeddings=64), 2, 150),
    "qwen2": lambda: (qwen2(2, 96, 6, 2, 130, 40, 333, tied=True), 3, 40),
}


def state(model, values):
    """Of every tensor but a tied head, in the order of the state_dict."""
    tied = model.config.tie_word_embeddings
    return {name: values(tensor) for name, tensor in model.named_parameters() if not (tied and name == "lm_head.weight")}


def randomise(model):
    """Every parameter away from its special value: biases from 0, gains from 1."""
    for name, tensor in model.named_parameters():
        noise = torch.randn_like(tensor)
        with torch.no_grad():
            if tensor.dim() == 1:
                tensor += 0.1 * noise
            else:
                tensor.copy_(0.08 * noise)


def make(name, out):
    torch.manual_seed(sum(name.encode()))
    model, sequences, length = CASES[name]()
    model.eval()
    randomise(model)
    vocab = model.config.vocab_size
    tokens = torch.randint(vocab, (sequences, length))
    targets = torch.randint(vocab, (sequences, length))
    targets[torch.rand(sequences, length) < 0.15] = -1  # kNoToken
    targets[-1, : length // 2] = -1

    logits = model(tokens).logits
    log_probs = torch.log_softmax(logits, -1).gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    log_probs = torch.where(targets < 0, 0.0, log_probs)
    (-log_probs.sum() / 50).backward()

    arrays = {"tokens": tokens.int(), "targets": targets.int(), "logits": logits, "log_probs": log_probs}
    arrays |= {"weight:" + k: v for k, v in state(model, lambda p: p).items()}
    arrays |= {"gradient:" + k: v for k, v in state(model, lambda p: p.grad).items()}
    entries, offset = [], 0
    with open(out / f"{name}.bin", "wb") as file:
        for key, tensor in arrays.items():
            data = tensor.detach().contiguous().numpy()
            file.write(data.tobytes())
            entries.append({"name": key, "shape": list(data.shape), "offset": offset})
            offset += data.nbytes
    return {"name": name, "sequences": sequences, "length": length, "scale": 1 / 50, "config": model.config.to_dict(),
            "arrays": entries}


def main(folder):
    cases = [make(name, folder) for name in CASES]
    (folder / "cases.json").write_text(json.dumps(cases, default=str))
