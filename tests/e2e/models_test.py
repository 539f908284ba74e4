"""Models leave the forest as ordinary Hugging Face checkpoints, and come from there."""
import json
import math
import pathlib
import unittest

import torch
import transformers

from support import ForestCase, btm


def perplexity(folder, tokens, window):
    """Of a token stream in windows, as btm evaluates: window w predicts tokens w*T+1 ... (w+1)*T."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(tokens) - 1, window):
            piece = torch.tensor(tokens[start : start + window + 1])
            logits = model(piece[None, :-1]).logits[0]
            total += torch.nn.functional.cross_entropy(logits, piece[1:], reduction="sum").item()
            count += len(piece) - 1
    return math.exp(total / count)


def test_tokens(forest, domain, count):
    import numpy
    data = numpy.fromfile(pathlib.Path(forest) / f"tokens/{domain}/test.bin", dtype=numpy.uint16)
    return data[:count].astype(int).tolist()


class Models(ForestCase):
    def test_every_model_gives_the_same_perplexity_in_transformers(self):
        btm("grow", self.plan)
        rows = {r["model"]: r for r in json.loads((self.forest / "results/evaluation.json").read_text())["rows"]}
        domains = json.loads((self.forest / "results/evaluation.json").read_text())["domains"]
        for row, folder in (("seed", "seed"), ("dense", "comparisons/dense")):
            for domain in ("python", "cpp", "numpy"):
                tokens = test_tokens(self.forest, domain, domains[domain]["tokens"] + 1)
                theirs = perplexity(self.forest / folder, tokens, 32)
                self.assertAlmostEqual(rows[row]["domains"][domain]["perplexity"] / theirs, 1, places=4)

    def test_tokenizer_loads_and_agrees(self):
        btm("grow", self.plan)
        tokenizer = transformers.AutoTokenizer.from_pretrained(self.forest / "experts/python")
        text = self.folder / "sample.txt"
        text.write_text("def f(x):\n    return 'Grüße, 世界' * x\n", encoding="utf-8")
        ours = json.loads(btm("tokenize", "--tokenizer", self.forest / "tokenizer", text).stdout)["ids"]
        self.assertEqual(ours, tokenizer.encode(text.read_text(encoding="utf-8"), add_special_tokens=False))

    def test_a_checkpoint_of_transformers_can_be_the_seed(self):
        btm("grow", self.plan)
        tokenizer = transformers.AutoTokenizer.from_pretrained(self.forest / "tokenizer")
        torch.manual_seed(1)
        config = transformers.LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
                                          num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=32)
        source = self.folder / "source"
        transformers.LlamaForCausalLM(config).save_pretrained(source)
        tokenizer.save_pretrained(source)
        self.edit_plan("tokenizer: {vocab_size: 512}\n", "")
        self.edit_plan("model: {architecture: gpt2, layers: 1, width: 32, heads: 2, context: 32}", f"model: {{from: {source}}}")
        self.edit_plan(f"forest: {self.folder}/forest", f"forest: {self.folder}/llama")
        btm("grow", self.plan)
        evaluation = json.loads((self.folder / "llama/results/evaluation.json").read_text())
        dense = next(r for r in evaluation["rows"] if r["model"] == "dense")
        tokens = test_tokens(self.folder / "llama", "python", evaluation["domains"]["python"]["tokens"] + 1)
        theirs = perplexity(self.folder / "llama/comparisons/dense", tokens, 32)
        self.assertAlmostEqual(dense["domains"]["python"]["perplexity"] / theirs, 1, places=4)

    def test_average_and_generate(self):
        btm("grow", self.plan)
        output = self.folder / "average"
        btm("average", "python=0.25", "cpp=0.75", "--forest", self.forest, "--output", output)
        load = transformers.AutoModelForCausalLM.from_pretrained
        a, b, mean = (load(p).state_dict() for p in (self.forest / "experts/python", self.forest / "experts/cpp", output))
        for name, value in mean.items():
            torch.testing.assert_close(value, 0.25 * a[name] + 0.75 * b[name], rtol=1e-6, atol=1e-7)
        first = btm("generate", output, "--prompt", "import ", "--tokens", "12", "--random-seed", "3").stdout
        self.assertEqual(first, btm("generate", output, "--prompt", "import ", "--tokens", "12", "--random-seed", "3").stdout)
        posterior = json.loads(btm("posterior", self.forest, "import os\nclass A:\n    def f(self): pass", "--json").stdout)
        self.assertIn("python", json.dumps(posterior))


if __name__ == "__main__":
    unittest.main(verbosity=2)
