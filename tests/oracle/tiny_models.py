"""A tokenizer and tiny language models for the oracles of mixtures and generation."""

import json
import pathlib
import random

import tokenizers
import torch
import transformers

CONTEXT = 16
END = "<|endoftext|>"


def make_tokenizer(vocab_size=300):
    """Byte-level BPE as GPT-2's, trained on made-up words, some of them outside ASCII."""
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghijklmnoprstuvwé世", k=rng.randint(2, 7))) for _ in range(60)]
    texts = [" ".join(rng.choices(words, k=30)) for _ in range(40)]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size - 1,
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([END])
    return tokenizer, words


def gpt2(vocab_size, seed, end):
    """A GPT-2 whose weights are large enough for its predictions to be far from uniform."""
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=vocab_size, n_positions=CONTEXT, n_embd=24, n_layer=2, n_head=3, initializer_range=0.35,
        bos_token_id=end, eos_token_id=end,
    )
    return transformers.GPT2LMHeadModel(config).eval()


def llama(vocab_size, seed, end):
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=vocab_size, max_position_embeddings=CONTEXT, hidden_size=24, intermediate_size=64,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, initializer_range=0.35,
        tie_word_embeddings=False, bos_token_id=end, eos_token_id=end,
    )
    return transformers.LlamaForCausalLM(config).eval()


def save(model, tokenizer, folder):
    folder = pathlib.Path(folder)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
