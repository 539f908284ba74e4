"""A forest of tiny GPT-2s made by transformers, and what every row of its evaluation must be, computed in float64."""

import copy
import itertools
import json
import pathlib

import numpy as np
import torch

from tiny_models import CONTEXT, END, gpt2, make_tokenizer, save

DEV_SEQUENCES, TEST_TOKENS = 5, 90  # the test text ends within a window
FLOOR, STEP, LEAST_SHARE = 0.02, 0.3, 1e-3
DROP_BELOW, PATIENCE = 0.01, 8
FORGETTING, EVIDENCE = (0, 0.5, 0.9, 1), (0.1, 0.2, 0.35, 0.5, 0.7, 1)


def sample(model, windows, seed):
    """Text written by the model itself, window by window."""
    torch.manual_seed(seed)
    start = torch.randint(0, model.config.vocab_size - 1, (windows, 1))
    return model.generate(start, do_sample=True, min_new_tokens=CONTEXT - 1, max_length=CONTEXT, pad_token_id=0, top_k=0)


def log_probs(model, tokens):
    """log p of every token after the first; the context restarts after each window of CONTEXT inputs."""
    out = []
    for start in range(0, len(tokens) - 1, CONTEXT):
        window = torch.tensor(tokens[start : start + CONTEXT + 1])
        with torch.no_grad():
            logits = model(window[None, :-1]).logits[0]
        out.append(torch.log_softmax(logits, -1).gather(1, window[1:, None])[:, 0].numpy())
    return np.concatenate(out)


def mixture(lp, prior, g, evidence, by_token=None):
    """Log-probabilities of the mixture [tokens] out of the experts' [experts, tokens], by the formula."""
    out = []
    for start in range(0, lp.shape[1], CONTEXT):
        window = lp[:, start : start + CONTEXT]
        for t in range(window.shape[1]):
            total = window[:, :t] @ np.array([float(g) ** (t - 1 - s) for s in range(t)])  # 0 ** 0 is 1
            w = np.log(prior) + evidence * total
            w = np.exp(w - w.max())
            if by_token:
                w[np.argsort(-w, kind="stable")[by_token:]] = 0
            out.append(np.log((w / w.sum() * np.exp(window[:, t])).sum()))
    return np.array(out)


def dropping(lp, prior, g, evidence):
    """The mixture without experts whose weight was below DROP_BELOW PATIENCE times in a row, and the experts run."""
    out, runs = [], 0
    for start in range(0, lp.shape[1], CONTEXT):
        window = lp[:, start : start + CONTEXT]
        below = np.zeros(len(lp), int)
        for t in range(window.shape[1] + 1):
            total = window[:, :t] @ np.array([float(g) ** (t - 1 - s) for s in range(t)])
            w = np.log(prior) + evidence * total
            w = np.where(below < PATIENCE, np.exp(w - w[below < PATIENCE].max()), 0)
            if t > 0:  # after a token was seen
                low = (w / w.sum() < DROP_BELOW) & (below < PATIENCE)
                below = np.where(below >= PATIENCE, below, np.where(low, below + 1, 0))
                w = np.where(below < PATIENCE, w, 0)
            if t < window.shape[1]:
                runs += (below < PATIENCE).sum()
                out.append(np.log((w / w.sum() * np.exp(window[:, t])).sum()))
    return np.array(out), int(runs)


def updating(lp, prior):
    out = []
    for start in range(0, lp.shape[1], CONTEXT):
        window = lp[:, start : start + CONTEXT]
        out.append(mixture(window, prior, 1, 1))
        w = np.log(prior) + window.sum(1)
        w = np.exp(w - w.max())
        prior = (1 - STEP) * prior + STEP * w / w.sum()
    return np.concatenate(out)


def product(models, tokens):
    """The experts' geometric mean, normalised over the vocabulary."""
    out = []
    for start in range(0, len(tokens) - 1, CONTEXT):
        window = torch.tensor(tokens[start : start + CONTEXT + 1])
        with torch.no_grad():
            mean = torch.stack([torch.log_softmax(m(window[None, :-1]).logits[0], -1) for m in models]).mean(0)
        out.append(torch.log_softmax(mean, -1).gather(1, window[1:, None])[:, 0].numpy())
    return np.concatenate(out)


def greedy_soup(experts, dev_loss):
    """Weights of the experts that lower the loss of their equal average, tried from the best on."""
    own = [dev_loss(m) for m in experts]
    order = np.argsort(own, kind="stable")
    chosen, best = [order[0]], own[order[0]]
    for j in order[1:]:
        w = np.zeros(len(experts))
        w[chosen + [j]] = 1
        loss = dev_loss(average(experts, w))
        if loss < best:
            chosen, best = chosen + [j], loss
    w = np.zeros(len(experts))
    w[chosen] = 1 / len(chosen)
    return w


def cached_prior(lp):
    prior = np.full(len(lp), 1 / len(lp))
    for start in range(0, lp.shape[1], CONTEXT):
        w = np.log(prior) + lp[:, start : start + CONTEXT].sum(1)
        w = np.exp(w - w.max())
        prior = (1 - STEP) * prior + STEP * w / w.sum()
    return prior


def shares(lp):
    weights = np.full(len(lp), 1 / len(lp))
    p = np.exp(lp)
    for _ in range(2000):
        weights = (weights[:, None] * p / (weights @ p)).mean(1)
    return weights


def fitted(lp):
    weights = shares(lp)
    prior = (1 - FLOOR) * weights + FLOOR / len(weights)
    if len(prior) == 1:
        return prior, 0, 0
    grid = [(0, 0), *itertools.product(FORGETTING, EVIDENCE)]
    best = max(grid, key=lambda setting: mixture(lp, prior, *setting).sum())
    return prior, *best


def average(models, weights):
    weights = np.where(weights < LEAST_SHARE * weights.max(), 0, weights)
    weights = weights / weights.sum()
    result = copy.deepcopy(models[0])
    state = {key: sum(w * m.state_dict()[key] for w, m in zip(weights, models)) for key in result.state_dict()}
    result.load_state_dict(state)
    return result


def main(folder):
    tokenizer, _ = make_tokenizer()
    vocab, end = tokenizer.get_vocab_size(), tokenizer.token_to_id(END)
    seed = gpt2(vocab, 0, end)
    models = {"seed": seed, "dense": copy.deepcopy(seed)}
    for i, name in enumerate(["a", "b", "c"]):
        models[name] = average([seed, gpt2(vocab, i + 1, end)], np.array([0.6, 0.4]))
    models["dense"] = average([models[name] for name in "abc"], np.array([0.5, 0.3, 0.2]))
    for name, model in models.items():
        save(model, tokenizer, folder / "models" / name)

    dev_count, test_count = DEV_SEQUENCES * CONTEXT + 1, TEST_TOKENS + 1
    texts = {name: sample(models[source], 19, 7).flatten().tolist() for name, source in zip(["a", "b", "c", "odd"], ["a", "b", "c", "seed"])}
    texts = {name: {"dev": tokens[: 9 * CONTEXT], "test": tokens[9 * CONTEXT :]} for name, tokens in texts.items()}
    length = {i: 0 if i == end else len(token) for token, i in tokenizer.get_vocab().items()}  # one character a byte

    models = {name: model.double() for name, model in models.items()}
    experts = [models[name] for name in "abc"]
    dev = {d: np.stack([log_probs(m, t["dev"][:dev_count]) for m in experts]) for d, t in texts.items()}
    test = {d: np.stack([log_probs(m, t["test"][:test_count]) for m in experts]) for d, t in texts.items()}
    single = int(np.argmin([sum(-dev[d][j].mean() for d in "abc") for j in range(3)]))

    weights = {d: fitted(dev[d]) for d in texts}

    def top(domain, k):
        chosen = np.sort(np.argsort(-weights[domain][0], kind="stable")[:k])
        return mixture(test[domain][chosen], *fitted(dev[domain][chosen]))

    def plain(model):
        return lambda domain: log_probs(model, texts[domain]["test"][:test_count])

    def soup(domain):
        return greedy_soup(experts, lambda m: -log_probs(m, texts[domain]["dev"][:dev_count]).mean())

    def with_generalist(domain, model):
        more_dev = np.vstack([dev[domain], log_probs(model, texts[domain]["dev"][:dev_count])])
        more_test = np.vstack([test[domain], log_probs(model, texts[domain]["test"][:test_count])])
        return mixture(more_test, *fitted(more_dev))

    rows = {
        "seed": plain(models["seed"]),
        "dense": plain(models["dense"]),
        "ensemble": lambda d: mixture(test[d], *weights[d]),
        "ensemble_cached": lambda d: mixture(test[d], cached_prior(dev[d]), 1, 1),
        "top_1": lambda d: top(d, 1),
        "top_2": lambda d: top(d, 2),
        "top_2_by_token": lambda d: mixture(test[d], *weights[d], by_token=2),
        "ensemble_updating": lambda d: updating(test[d], cached_prior(dev[d])),
        "ensemble_dropping": lambda d: dropping(test[d], *weights[d])[0],
        "ensemble_and_seed": lambda d: with_generalist(d, models["seed"]),
        "ensemble_and_average": lambda d: with_generalist(d, average(experts, shares(dev[d]))),
        "average_probabilities": lambda d: mixture(test[d], np.full(3, 1 / 3), 1, 0),
        "product_of_experts": lambda d: product(experts, texts[d]["test"][:test_count]),
        "average_em": lambda d: plain(average(experts, shares(dev[d])))(d),
        "average_greedy": lambda d: plain(average(experts, soup(d)))(d),
        "average_uniform": plain(average(experts, np.ones(3))),
        "average_argmax": lambda d: test[d][cached_prior(dev[d]).argmax()],
        "average_posterior": lambda d: plain(average(experts, cached_prior(dev[d])))(d),
        "best_single": lambda d: test[d][single],
        "oracle": lambda d: test[d][dev[d].mean(1).argmax()],
    }
    cases = {
        "dev_sequences": DEV_SEQUENCES,
        "test_tokens": TEST_TOKENS,
        "vocab_size": vocab,
        "texts": texts,
        "bytes": {d: sum(length[i] for i in t["test"][1:test_count]) for d, t in texts.items()},
        "rows": {row: {d: float(-f(d).sum()) for d in texts} for row, f in rows.items()},
        "dropping_runs": sum(dropping(test[d], *weights[d])[1] for d in texts),
        "log_probs": test["odd"][0].tolist(),
    }
    (folder / "cases.json").write_text(json.dumps(cases))
