"""check_folder.py ORIGINALS WRITTEN: each folder in WRITTEN loads in transformers with no tensor missing or left over and
gives the logits of the folder of that name in ORIGINALS, or of the one its average.json names."""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM


def load(folder):
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    return model.eval(), {key: names for key, names in info.items() if names}


def original_of(folder, originals):
    record = folder / "average.json"
    return Path(json.loads(record.read_text())["sources"][0]["folder"]) if record.exists() else originals / folder.name


def main():
    originals, written = Path(sys.argv[1]), Path(sys.argv[2])
    folders = sorted(folder for folder in written.iterdir() if folder.is_dir())
    assert folders, f"{written}: no folders"
    tokens = torch.arange(32).reshape(2, 16) * 7 % 97
    for folder in folders:
        model, problems = load(folder)
        assert not problems, (folder.name, problems)
        with torch.no_grad():
            expected = load(original_of(folder, originals))[0](tokens).logits
            found = model(tokens).logits
        difference = (found - expected).abs().max().item()
        print(f"{folder.name}: largest difference of logits {difference:.1e}, deviation {expected.std():.3f}")
        assert difference == 0, folder.name


if __name__ == "__main__":
    main()
