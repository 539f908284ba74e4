"""Greedy text of tiny models by transformers' generate(), of an ensemble by the formulas, and the probabilities that
transformers' logits processors leave."""

import json
import pathlib

import torch
import transformers
from transformers.generation import logits_process

from tiny_models import CONTEXT, END, gpt2, llama, make_tokenizer, save


def greedy(model, tokenizer, words, end):
    cases = []
    for i, penalty in enumerate([1.0, 1.0, 1.0, 1.3, 2.0]):
        prompt = " ".join(words[i * 2 : i * 2 + 1 + i % 2])
        ids = tokenizer.encode(prompt).ids
        if len(ids) >= CONTEXT:
            continue
        out = model.generate(
            torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), do_sample=False, max_length=CONTEXT,
            repetition_penalty=penalty, pad_token_id=end, eos_token_id=end,
        )[0].tolist()
        tokens = [token for token in out[len(ids) :] if token != end]
        cases.append({"prompt": prompt, "repetition_penalty": penalty, "tokens": tokens, "text": tokenizer.decode(tokens)})
    return cases


def ensemble(models, ids, prior, g, evidence, length):
    """Greedy tokens of the mixture in float64, and the posterior before each of them."""
    ids, tokens, weights = list(ids), [], []
    while len(ids) < length:
        with torch.no_grad():
            log_probs = torch.stack([torch.log_softmax(m(torch.tensor([ids])).logits[0].double(), -1) for m in models])
        own = log_probs[:, :-1].gather(2, torch.tensor(ids[1:]).expand(len(models), -1)[:, :, None])[:, :, 0]
        steps = own.shape[1]
        total = own @ torch.tensor([float(g) ** (steps - 1 - s) for s in range(steps)], dtype=torch.float64)
        w = torch.softmax(torch.log(torch.tensor(prior, dtype=torch.float64)) + evidence * total, 0)
        mixed = (w[:, None] * log_probs[:, -1].exp()).sum(0)
        weights.append(w.tolist())
        tokens.append(int(mixed.argmax()))
        ids.append(tokens[-1])
    return {"prior": prior, "forgetting": g, "evidence": evidence, "tokens": tokens, "weights": weights}


def processed(seed, temperature, top_k, top_p, min_p, penalty):
    torch.manual_seed(seed)
    logits, history = torch.randn(1, 50) * 3, torch.randint(0, 50, (1, 12))
    chain = logits_process.LogitsProcessorList()
    if penalty != 1:
        chain.append(logits_process.RepetitionPenaltyLogitsProcessor(float(penalty)))
    chain.append(logits_process.TemperatureLogitsWarper(float(temperature)))
    if top_k:
        chain.append(logits_process.TopKLogitsWarper(top_k))
    if top_p < 1:
        chain.append(logits_process.TopPLogitsWarper(float(top_p)))
    if min_p:
        chain.append(logits_process.MinPLogitsWarper(float(min_p)))
    return {
        "temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p, "repetition_penalty": penalty,
        "logits": logits[0].tolist(), "history": history[0].tolist(),
        "probabilities": torch.softmax(chain(history, logits), -1)[0].tolist(),
    }


def main(folder):
    transformers.logging.set_verbosity_error()
    tokenizer, words = make_tokenizer()
    vocab, end = tokenizer.get_vocab_size(), tokenizer.token_to_id(END)
    cases = {"greedy": {}, "probabilities": []}
    for name, make in {"gpt2": gpt2, "llama": llama, "gpt2_bf16": gpt2, "llama_bf16": llama}.items():
        model = make(vocab, 5, end)
        if name.endswith("bf16"):
            model = model.to(torch.bfloat16)
        save(model, tokenizer, folder / name)
        cases["greedy"][name] = greedy(model.float(), tokenizer, words, end)
    experts = [gpt2(vocab, 20 + i, end) for i in range(3)]
    for i, expert in enumerate(experts):
        save(expert, tokenizer, folder / f"expert_{i}")
    cases["ensemble"] = {"prompts": []}
    for prompt in (words[0], " ".join(words[1:3]), words[4]):
        ids = tokenizer.encode(prompt).ids
        runs = [ensemble(experts, ids, *mixture, length=CONTEXT)
                for mixture in (([1 / 3] * 3, 1, 1), ([0.2, 0.5, 0.3], 0.5, 0.7), ([0.2, 0.5, 0.3], 0, 1))]
        cases["ensemble"]["prompts"].append({"prompt": prompt, "runs": runs})
    settings = [(1, 0, 1, 0, 1), (0.7, 0, 1, 0, 1), (1, 5, 1, 0, 1), (1, 0, 0.8, 0, 1), (1, 0, 1, 0.1, 1),
                (1, 0, 1, 0, 1.4), (0.8, 20, 0.9, 0.05, 1.2), (2.5, 60, 0.3, 0, 0.7), (0.1, 1, 0.01, 1, 1)]
    cases["probabilities"] = [processed(i, *setting) for i, setting in enumerate(settings)]
    (folder / "cases.json").write_text(json.dumps(cases))
