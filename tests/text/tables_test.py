"""The tables of text and the plans that name their domains agree."""
import fnmatch
import pathlib
import re
import sys
import unittest

PROJECT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(PROJECT / "tools/text"))
import rule


def table(name):
    lines = (PROJECT / f"tools/{name}/domains.tsv").read_text().splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


class Tables(unittest.TestCase):
    def check(self, name, example):
        rows = table(name)
        plan = (PROJECT / f"examples/{example}/forest.yaml").read_text()
        roles = {domain: "novel" if novel else "train"
                 for domain, novel in re.findall(r"^  (\w+): +\{text: \S*\1\.jsonl\.gz(, role: novel)?\}", plan, re.MULTILINE)}
        cycles = {domain: str(i) for i, experts in enumerate(re.findall(r"experts: \[([^]]*)\]", plan), 1)
                  for domain in re.split(r",\s*", experts)}
        self.assertEqual(roles, {domain: role for domain, role, *_ in rows})
        self.assertEqual(cycles, {domain: cycle for domain, role, cycle, *_ in rows if role == "train"})
        for domain, _, _, millions, packages, words in rows:
            self.assertGreater(float(millions), 0, domain)
            self.assertTrue(packages.split(), domain)
            rule.parsed(words.split())

    def test_demo(self):
        self.check("demo", "demo")

    def test_corpus(self):
        self.check("corpus", "corpus64")
        cycles = [cycle for _, _, cycle, *_ in table("corpus")]
        self.assertEqual({cycle: cycles.count(cycle) for cycle in cycles}, {"1": 16, "2": 16, "3": 16, "4": 16, "-": 16})

    def test_eight_domains_of_the_corpus_and_their_relatives_are_read_as_it_leaves_them(self):
        plan = (PROJECT / "examples/corpus/forest.yaml").read_text()
        texts = re.findall(r"^  (\w+): +\{text: ([^,}]+)", plan, re.MULTILINE)
        self.assertEqual(len(texts), 16)
        for domain, text in texts:
            self.assertIn(domain, [row[0] for row in table("corpus")])
            self.assertTrue(fnmatch.fnmatchcase(f"{domain}.jsonl.gz", text), f"{domain}: {text}")


if __name__ == "__main__":
    unittest.main()
