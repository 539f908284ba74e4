"""Models leave the forest as ordinary Hugging Face checkpoints, and come from there."""
import json
import math
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import unittest

import torch
import transformers

from support import BTM, ForestCase, btm


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


def first_tokens(forest, domain, count, split="test"):
    import numpy
    data = numpy.fromfile(pathlib.Path(forest) / f"tokens/{domain}/{split}.bin", dtype=numpy.uint16)
    return data[:count].astype(int).tolist()


def on_terminal(*words, **environment):
    """What the command prints to a terminal."""
    terminal, end = pty.openpty()
    try:
        subprocess.run([BTM, *words], stdout=end, stderr=end, stdin=subprocess.DEVNULL, env={**os.environ, **environment}, check=True, timeout=60)
        return os.read(terminal, 65536).decode()
    finally:
        os.close(end)
        os.close(terminal)


class Models(ForestCase):
    def test_every_model_gives_the_same_perplexity_in_transformers(self):
        btm("grow", self.plan)
        tables = [json.loads((self.forest / "results/evaluation.json").read_text())]
        tables += [json.loads(btm("evaluate", self.forest, "--precision", precision, "--json").stdout) for precision in ("fp32", "int16")]
        fastest, rows, int16 = ({row["model"]: row for row in table["rows"]} for table in tables)
        domains = tables[1]["domains"]
        for row, folder in (("seed", "seed"), ("dense", "comparisons/dense")):
            for domain in ("python", "cpp", "numpy"):
                tokens = first_tokens(self.forest, domain, domains[domain]["tokens"] + 1)
                theirs = perplexity(self.forest / folder, tokens, 32)
                self.assertAlmostEqual(rows[row]["domains"][domain]["perplexity"] / theirs, 1, places=4)
                for rounded in fastest, int16:
                    self.assertAlmostEqual(rounded[row]["domains"][domain]["perplexity"] / theirs, 1, places=3)

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
                                          num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
                                          rope_parameters={"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
                                                           "high_freq_factor": 4.0, "original_max_position_embeddings": 40})
        source = self.folder / "source"
        transformers.LlamaForCausalLM(config).save_pretrained(source)
        tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
        tokenizer.save_pretrained(source)
        generation = json.loads((source / "generation_config.json").read_text()) | {"eos_token_id": [0, 7], "temperature": 0.5, "do_sample": True}
        (source / "generation_config.json").write_text(json.dumps(generation))
        self.edit_plan("tokenizer: {vocab_size: 512}\n", "")
        self.edit_plan("model: {architecture: gpt2, layers: 1, width: 32, heads: 2, context: 32}", f"model: {{from: {source}, context: 32}}")
        self.edit_plan(f"forest: {self.folder}/forest", f"forest: {self.folder}/llama")
        btm("grow", self.plan)
        evaluation = json.loads(btm("evaluate", self.folder / "llama", "--precision", "fp32", "--json").stdout)
        dense = next(r for r in evaluation["rows"] if r["model"] == "dense")
        tokens = first_tokens(self.folder / "llama", "python", evaluation["domains"]["python"]["tokens"] + 1)
        theirs = perplexity(self.folder / "llama/comparisons/dense", tokens, 32)
        self.assertAlmostEqual(dense["domains"]["python"]["perplexity"] / theirs, 1, places=4)
        expert = self.folder / "llama/experts/python"
        kept = transformers.AutoModelForCausalLM.from_pretrained(expert).generation_config
        self.assertEqual((kept.eos_token_id, kept.temperature), ([0, 7], 0.5))
        chat = [{"role": "user", "content": "def f"}]
        self.assertEqual(transformers.AutoTokenizer.from_pretrained(expert).apply_chat_template(chat, tokenize=False), "def f")
        shutil.rmtree(source)
        moved = shutil.move(self.folder / "llama", self.folder / "moved")
        btm("remove", moved, "cpp", "--retrain", "--yes")
        self.assertFalse((moved / "experts/cpp").exists())

    def test_average_and_generate(self):
        btm("grow", self.plan)
        output = self.folder / "average"
        btm("average", "python=0.25", "cpp=0.75", "--forest", self.forest, "--output", output)
        load = transformers.AutoModelForCausalLM.from_pretrained
        a, b, mean = (load(p).state_dict() for p in (self.forest / "experts/python", self.forest / "experts/cpp", output))
        for name, value in mean.items():
            torch.testing.assert_close(value, 0.25 * a[name] + 0.75 * b[name], rtol=1e-6, atol=1e-7)
        model = load(self.forest / "experts/python")
        model.resize_token_embeddings(1024, mean_resizing=False)
        padded = self.folder / "padded"  # ids beyond the tokenizer's stand for no text
        model.save_pretrained(padded)
        shutil.copy(self.forest / "experts/python/tokenizer.json", padded)
        beyond = ["generate", padded, "--prompt", "import ", "--tokens", "30", "--random-seed", "1"]
        self.assertGreater(max(json.loads(btm(*beyond, "--json").stdout)["tokens"]), 511)
        self.assertIn("padded", btm(*beyond, "--show-experts").stdout)
        first = btm("generate", output, "--prompt", "import ", "--tokens", "12", "--random-seed", "3").stdout
        self.assertEqual(first, btm("generate", output, "--prompt", "import ", "--tokens", "12", "--random-seed", "3").stdout)
        posterior = json.loads(btm("posterior", self.forest, "import os\nclass A:\n    def f(self): pass", "--json").stdout)
        self.assertGreater(posterior["experts"]["python"]["posterior"], 0.5)
        packed = json.loads(btm("posterior", self.forest, "--text", self.folder / "cpp.jsonl.gz", "--json").stdout)
        self.assertGreater(packed["experts"]["cpp"]["posterior"], 0.5)
        self.assertGreater(packed["bytes"], 100_000)

    def test_the_seed_keeps_its_share_of_an_average_whose_experts_are_fewer(self):
        self.edit_plan("tokens: 30k", "tokens: 400k")  # a seed that knows more than experts add: it is given a share
        self.edit_plan("tokens: 20k", "tokens: 10k")
        btm("grow", self.plan)

        def shares(domain, top):
            made = btm("average", "--forest", self.forest, "--weights", "interpolated", "--domain", domain, "--json", "--top-k", top,
                       "--output", self.folder / f"{domain}_{top}")
            return {source["folder"]: source["weight"] for source in json.loads(made.stdout)["sources"]}

        # The machine's own files are the text, so that no domain is sure to want all three.
        domain, whole = next((domain, found) for domain in ("numpy", "python", "cpp") if len(found := shares(domain, 0)) == 3)
        first = shares(domain, 1)
        self.assertEqual(len(first), 2)
        self.assertAlmostEqual(whole["seed"], first["seed"])

    def test_an_average_chosen_for_a_domain_in_shards_loads_in_transformers(self):
        btm("grow", self.plan)
        rows = {row["model"]: row for row in json.loads((self.forest / "results/evaluation.json").read_text())["rows"]}
        dev = {}  # perplexity on the sample that weights are chosen by
        for kind in ("posterior", "em", "fitted", "greedy", "interpolated", "uniform", "argmax"):
            output = self.folder / kind
            domain = [] if kind == "uniform" else ["--domain", "numpy"]
            made = btm("average", "--forest", self.forest, "--weights", kind, *domain, "--shard-size", "20k",
                       "--output", output, "--json")
            self.assertAlmostEqual(sum(s["weight"] for s in json.loads(made.stdout)["sources"]), 1, places=9)
            if f"average_{kind}" in rows and kind != "uniform":  # the same as the table has
                shown = rows[f"average_{kind}"]["domains"]["numpy"]["weights"]
                for source in json.loads(made.stdout)["sources"]:
                    self.assertAlmostEqual(source["weight"], shown[pathlib.Path(source["folder"]).name], places=9)
            self.assertGreater(len(list(output.glob("model-*.safetensors"))), 1)
            dev[kind] = perplexity(output, first_tokens(self.forest, "numpy", 20 * 32 + 1, "dev"), 32)  # dev_sequences of the plan
        # Each begins with the others that it is compared with here, and is rounded to the fastest format.
        for better, worse in (("fitted", "em"), ("fitted", "posterior"), ("fitted", "uniform"), ("interpolated", "em"),
                              ("greedy", "argmax")):
            self.assertLess(dev[better], 1.001 * dev[worse], (better, worse))
        self.assertIn("tokens/s", btm("generate", self.folder / "fitted", "--prompt", "import ", "--tokens", "3").stderr)

    def test_text_of_the_ensemble(self):
        btm("grow", self.plan)
        prompts = self.folder / "prompts.jsonl"
        prompts.write_text("".join(json.dumps({"text": t}) + "\n" for t in ("import os", "#include <", "def ", "x = ")))
        out = btm("generate", self.forest, "--prompts", prompts, "--domain", "numpy", "--batch", "3", "--tokens", "40",
                  "--show-experts", "--json")
        lines = [json.loads(line) for line in out.stdout.splitlines()]
        self.assertEqual([line["prompt"] for line in lines], ["import os", "#include <", "def ", "x = "])
        for line in lines:
            self.assertEqual(set(line["posterior"]), {"python", "cpp"})
            self.assertAlmostEqual(sum(line["posterior"].values()), 1, places=6)
            self.assertEqual(len(line["experts"]), len(line["tokens"]))
        alone = btm("generate", self.forest, "--prompt", "import os", "--domain", "numpy", "--tokens", "40", "--only-new")
        self.assertEqual(alone.stdout, lines[0]["text"] + "\n")
        small = btm("generate", self.forest, "--prompt", "import os", "--domain", "numpy", "--tokens", "40", "--only-new",
                    "--memory", "1.1M")
        self.assertEqual(small.stdout, alone.stdout)
        words = ["generate", self.forest, "--prompt", "import os", "--tokens", "5", "--show-experts"]
        self.assertIn("\033[38;5;", on_terminal(*words))
        plain = on_terminal(*words, NO_COLOR="1")
        self.assertNotIn("\033", plain)
        self.assertIn("weight", plain)
        one = btm("generate", self.forest, "--prompt", "import os", "--top-experts", "1", "--tokens", "5", "--json")
        self.assertNotIn("posterior", json.loads(one.stdout))

    def test_a_signal_ends_the_wait_for_standard_input(self):
        btm("grow", self.plan, "--set", "compare=[]")
        for words in (["generate", self.forest, "--prompt", "-"], ["posterior", self.forest, "--text", "-"]):
            with subprocess.Popen([BTM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                self.assertRaises(subprocess.TimeoutExpired, process.wait, 1)
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(30), 130, words)

    def test_the_experts_kept_are_weighed_as_if_there_were_no_others(self):
        self.edit_plan("experts: [python, cpp]", "experts: [python, cpp, c]")
        self.edit_plan("  numpy:", f"  c: {{text: {self.folder}/c.jsonl.gz}}\n  numpy:")
        btm("grow", self.plan, "--set", "compare=[]")
        words = ["generate", self.forest, "--prompt", "import os", "--domain", "numpy", "--tokens", "8", "--show-experts", "--json"]
        kept = json.loads(btm(*words, "--top-experts", "2").stdout)
        others = {"python", "cpp", "c"} - set(kept["posterior"])
        self.assertEqual(len(others), 1)
        btm("remove", self.forest, others.pop(), "--yes")
        self.assertEqual(json.loads(btm(*words).stdout), kept)

    def test_bad_input_of_mixtures(self):
        btm("grow", self.plan)
        shutil.copytree(self.forest, self.folder / "bare", ignore=shutil.ignore_patterns("tokens"))
        for words, says in (
            (["generate", self.forest, "--prompt", ""], "empty"),
            (["generate", self.forest, "--prompt", "word " * 99], "shorten"),
            (["generate", self.forest], "--prompt"),
            (["generate", self.forest, "--prompt", "x", "--expert", "pyton"], "did you mean 'python'"),
            (["generate", self.forest, "--prompt", "x", "--prior", "fited"], "did you mean 'fitted'"),
            (["generate", self.forest, "--prompt", "x", "--prior", "cached"], "--domain"),
            (["generate", self.forest, "--prompt", "x", "--domain", "nmpy"], "did you mean 'numpy'"),
            (["generate", self.forest, "--prompt", "x", "--memory", "1k"], "--memory"),
            (["generate", self.forest, "--prompt", "x", "--domain", "nmpy", "--precision", "fp8"], "--precision"),
            (["generate", self.forest, "--prompt", "x", "--domain", "nmpy", "--memory", "x"], "--memory: 'x'"),
            (["generate", self.forest, "--prompt", "x", "--drop-below", "2"], "drop_below"),
            (["average", "--forest", self.forest, "--weights", "em", "--domain", "numpy", "--budget", "3", "--output", self.folder / "o"], "--budget"),
            (["average", "--forest", self.forest, "--weights", "em", "--domain", "none", "--top-k", "-1", "--output", self.folder / "o"],
             "--top-k is -1"),
            (["average", "--forest", self.forest, "--weights", "em", "--domain", "none", "--shard-size", "0", "--output", self.folder / "o"],
             "--shard-size 0"),
            (["branch", self.forest, "python", "--weights", "seed=1", "--from", "uniform"], "leave out from"),
            (["evaluate", self.forest, "--mixtures", "top_04"], "top_04"),
            (["generate", self.forest, "--prompt", "x", "--stop", ""], "stop: an empty text"),
            (["generate", self.forest, "--prompt", "x", "--average", "python=0"], "average: its weights sum to 0"),
            (["generate", self.forest, "--prompt", "x", "--average", "python=1e308,cpp=1e308"], "its weights sum to inf"),
            (["generate", self.forest, "--prompt", "x", "--average", ""], "--average: must not be empty"),
            (["evaluate", self.forest, "--average-budget", "0"], "average_budget is 0"),
            (["average", "--forest", self.forest, "cpp", "--output", self.forest / "experts/x"], "keeps what is its own in experts"),
            (["report", self.forest, "--html", ""], "--html: must not be empty"),
            (["average", "--forest", self.forest, "--weights", "fited", "--output", self.folder / "o"], "did you mean 'fitted'"),
            (["average", "--forest", self.forest, "--weights", "em", "--output", self.folder / "o"], "--domain"),
            (["average", "--forest", self.forest, "python=-1", "cpp=1", "--output", self.folder / "o"], "-1"),
            (["average", "--output", self.folder / "o"], "no sources"),
            (["evaluate", self.forest, "--mixtures", "averge_em"], "did you mean 'average_em'"),
            (["generate", self.folder / "bare", "--prompt", "x", "--domain", "numpy"], "no tokens of any"),
        ):
            with self.subTest(words=words[2:]):
                message = btm(*words, code=2).stderr.strip().splitlines()[-1]
                self.assertIn(says, message)
                self.assertTrue(message.startswith("btm: "), message)
        self.assertFalse((self.folder / "o").exists())

    def test_prompts_are_checked_before_any_is_shown(self):
        btm("grow", self.plan, "--set", "compare=[]")
        lines, json_lines = self.folder / "p.txt", self.folder / "p.jsonl"
        lines.write_text("x\n\ny\n")
        json_lines.write_text('{"text": "x"}\n\n{"text": "' + "word " * 99 + '"}\n')
        other_name = self.folder / "p.json"  # known by its first line
        other_name.write_text('{"text": "x\\r"}\n\n{"text": ""}\n')
        for words, says in (
            (["--prompts", other_name], "p.json:3: the prompt is empty"),
            (["--prompts", lines], "p.txt:2: the prompt is empty"),
            (["--prompts", json_lines], "p.jsonl:3: the prompt has"),
            (["--prompt", "x", "--tokens", "0"], "tokens is 0"),
        ):
            with self.subTest(words=words):
                done = btm("generate", self.forest, *words, code=2)
                self.assertIn(says, done.stderr)
                self.assertEqual(done.stdout, "")
        lines.write_bytes(b"caf\xe9\nok\n")
        done = btm("generate", self.forest, "--prompts", lines, "--tokens", "1")
        self.assertIn("p.txt: a prompt is not valid UTF-8", done.stderr)
        done = btm("generate", self.forest, "--prompts", "-", "--tokens", "1", "--json", input="one\ntwo\n")
        self.assertEqual([json.loads(line)["prompt"] for line in done.stdout.splitlines()], ["one", "two"])
        tokenizer = self.forest / "experts/cpp/tokenizer.json"
        tokenizer.unlink()  # it may share its bytes with others by a hard link
        tokenizer.write_text("bad")
        self.assertIn("tokenizer.json", btm("generate", tokenizer.parent, "--prompt", "x", code=2).stderr)

    def test_models_of_a_comparison_of_several_are_found_by_name(self):
        btm("grow", self.plan)
        for name in ("python", "cpp"):
            shutil.copytree(self.forest / "comparisons/dense", self.forest / "comparisons/demix" / name)
        for words in (["show", self.forest, "demix"], ["generate", self.forest, "--prompt", "x", "--expert", "demix"],
                      ["average", "--forest", self.forest, "demix", "--output", self.folder / "o"]):
            self.assertRegex(btm(*words, code=2).stderr, "did you mean '?demix/cpp")
        btm("average", "--forest", self.forest, "demix/python=1", "python=1", "--output", self.folder / "o")
        record = json.loads((self.folder / "o/average.json").read_text())
        self.assertEqual([source["folder"] for source in record["sources"]], ["comparisons/demix/python", "experts/python"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
