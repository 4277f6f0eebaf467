"""A collection of two small corpora, a tiny encoder, and a study over them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from backbones import sentence_encoder

PLACES = ["river", "city", "mountain", "paris", "rome"]
DEEDS = ["run", "walk", "read", "lies near"]
MODEL = {"d_model": 48, "tie_word_embeddings": False, "decoder_layers": 1, "decoder_heads": 4, "dropout": 0.0}


def write_study(folder: Path, **changes: Any) -> Path:
    """Twenty passages with a question each, ten further ones of which two have known titles; the YAML's path."""
    passages = [(place, deed) for place in PLACES for deed in DEEDS]
    rows = [(f"p{n}", f"{p} {d}", f"the {p} where who {d} a the {p}.") for n, (p, d) in enumerate(passages)]
    more = [(f"x{n}", f"{p} {n}", f"a {p} of {n} and {d}.") for n, (p, d) in enumerate(passages[:8])]
    more += [("copy", "River Run", "the river, again."), ("other", "paris  walk", "not the same title.")]
    write_corpus(
        folder / "own", rows, [(f"q{n}", f"who {d} near the {p}") for n, (p, d) in enumerate(passages)]
    )
    write_corpus(folder / "added", more, [])
    judge(folder / "train.tsv", range(0, 20, 2))
    judge(folder / "dev.tsv", range(1, 13, 2))
    tiny = sentence_encoder()
    tiny.model.save_pretrained(folder / "encoder")
    tiny.tokenizer.save_pretrained(folder / "encoder")
    recipe = {
        "model": {"name": str(folder / "encoder"), "options": MODEL},
        "mixture": {"labelled": 1},
        "sources": {"labelled": {}},
        "docids": {"options": {"levels": 2, "codes": 4}},
        "codebook": {"max_steps": 4, "batch_size": 4, "save_steps": 2},
        "search": {"num_beams": 10},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    study = {
        "output": str(folder / "study"),
        "recipe": str(folder / "recipe.yaml"),
        "collection": {
            "corpus": str(folder / "own"),
            "judgements": str(folder / "train.tsv"),
            "evaluation": str(folder / "dev.tsv"),
            "queries": 4,
            "added": str(folder / "added"),
        },
        "sizes": {"small": {"passages": 12}, "all": {}},
        "representations": {"labelled": {}, "firstp": {"mixture": {"firstp": 1}}},
        **changes,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def write_corpus(folder: Path, passages: list[tuple[str, str, str]], queries: list[tuple[str, str]]) -> None:
    folder.mkdir(parents=True)
    lines = [json.dumps({"_id": i, "title": title, "text": text}) for i, title, text in passages]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    (folder / "queries.jsonl").write_text("\n".join(json.dumps({"_id": i, "text": t}) for i, t in queries))


def judge(path: Path, numbers: range) -> None:
    path.write_text("query-id\tcorpus-id\tscore\n" + "".join(f"q{n}\tp{n}\t1\n" for n in numbers))
