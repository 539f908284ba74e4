"""Reference runs of training: torch.optim.AdamW and 300 steps of transformers models.

Writes into the folder given:
  adamw/     raw float32 arrays: what torch.optim.AdamW with clip_grad_norm_ makes of given gradients
  gpt2/, llama/
             init/ (a transformers checkpoint), tokens.bin (int32 [steps, sequences, context + 1]),
             case.json (settings, and the loss, learning rate and gradient norm of every step)
"""

import json
import math
import pathlib

import torch
import transformers

STEPS, SEQUENCES, CONTEXT, VOCABULARY = 300, 6, 24, 61
SETTINGS = dict(learning_rate=8e-3, final_learning_rate=0.1, warmup=0.2, schedule="cosine", weight_decay=0.1,
                beta1=0.9, beta2=0.95, epsilon=1e-8, clip=1.0)


def share_of_peak(step):
    """btm/train/schedule.h, for the cosine."""
    top = max(1, math.floor(SETTINGS["warmup"] * STEPS)) - 1
    if step <= top:
        return (step + 1) / (top + 1)
    t = (step - top) / (STEPS - 1 - top)
    floor = SETTINGS["final_learning_rate"]
    return floor + (1 - floor) * (1 + math.cos(math.pi * t)) / 2


def make_optimiser(parameters):
    parameters = list(parameters)
    groups = [dict(params=[p for p in parameters if p.ndim >= 2], weight_decay=SETTINGS["weight_decay"]),
              dict(params=[p for p in parameters if p.ndim < 2], weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=SETTINGS["learning_rate"], betas=(SETTINGS["beta1"], SETTINGS["beta2"]),
                             eps=SETTINGS["epsilon"])


def tokens_of_a_pattern(generator):
    """Arithmetic progressions with a few errors: something to learn."""
    shape = (STEPS, SEQUENCES, 1)
    first = torch.randint(VOCABULARY, shape, generator=generator)
    stride = torch.randint(1, 4, shape, generator=generator)
    tokens = (first + stride * torch.arange(CONTEXT + 1)) % VOCABULARY
    noise = torch.randint(VOCABULARY, tokens.shape, generator=generator)
    return torch.where(torch.rand(tokens.shape, generator=generator) < 0.05, noise, tokens)


def train_case(folder, model, tokens):
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder / "init")
    tokens.to(torch.int32).numpy().tofile(folder / "tokens.bin")
    optimiser = make_optimiser(model.parameters())
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, share_of_peak)
    steps = []
    for batch in tokens:
        logits = model(batch[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), SETTINGS["clip"])
        steps.append(dict(loss=loss.item(), learning_rate=schedule.get_last_lr()[0], gradient_norm=norm.item()))
        optimiser.step()
        schedule.step()
    case = dict(training=SETTINGS, sequences=SEQUENCES, steps=steps)
    (folder / "case.json").write_text(json.dumps(case, indent=1))


def adamw_case(folder):
    """A matrix with decay, then a vector without, laid end to end; sizes that are no multiple of a vector's width."""
    folder.mkdir(parents=True, exist_ok=True)
    matrix, vector = torch.randn(137, 251).requires_grad_(), torch.randn(1003).requires_grad_()
    flat = lambda: torch.cat([matrix.detach().flatten(), vector.detach()])
    flat().numpy().tofile(folder / "initial.bin")
    optimiser = make_optimiser([matrix, vector])
    gradients, rates, norms = [], [], []
    for step in range(12):
        scale = 10.0 ** (step % 4 - 3)  # some are clipped, some are not
        matrix.grad, vector.grad = scale * torch.randn(137, 251), scale * torch.randn(1003)
        gradients.append(torch.cat([matrix.grad.flatten(), vector.grad]))
        norms.append(torch.nn.utils.clip_grad_norm_([matrix, vector], SETTINGS["clip"]).item())
        rates.append(1e-2 / (step + 1))
        for group in optimiser.param_groups:
            group["lr"] = rates[-1]
        optimiser.step()
    torch.stack(gradients).numpy().tofile(folder / "gradients.bin")
    flat().numpy().tofile(folder / "final.bin")
    case = dict(training=SETTINGS, sizes=[matrix.numel(), vector.numel()], learning_rates=rates, norms=norms)
    (folder / "case.json").write_text(json.dumps(case))


def main(folder):
    torch.manual_seed(20)
    adamw_case(folder / "adamw")
    tokens = tokens_of_a_pattern(torch.Generator().manual_seed(3))
    gpt2 = transformers.GPT2Config(vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=32, n_layer=2, n_head=4,
                                   resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=0, eos_token_id=0)
    train_case(folder / "gpt2", transformers.GPT2LMHeadModel(gpt2), tokens)
    llama = transformers.LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, hidden_size=32,
                                     intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                                     num_key_value_heads=2, bos_token_id=0, eos_token_id=0)
    train_case(folder / "llama", transformers.LlamaForCausalLM(llama), tokens)
    qwen2 = transformers.Qwen2Config(vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, hidden_size=32,
                                     intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                                     num_key_value_heads=2, bos_token_id=0, eos_token_id=0)
    train_case(folder / "qwen2", transformers.Qwen2ForCausalLM(qwen2), tokens)
