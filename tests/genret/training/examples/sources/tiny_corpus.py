"""Thirty passages on ten pages, with links, queries and judgements: enough for twenty examples of every source."""

from __future__ import annotations

import json
from pathlib import Path

from transformers import ByT5Tokenizer

from genret.corpus import Passage, PassageStore
from genret.training.examples.sources import Material

RIVERS = ["Seine", "Loire", "Rhône", "Rhine", "Elbe", "Oder", "Ebro", "Tagus", "Po", "Tiber"]
CITIES = ["Paris", "Nantes", "Lyon", "Cologne", "Hamburg", "Szczecin", "Zaragoza", "Lisbon", "Turin", "Rome"]


def passages() -> list[Passage]:
    """Three passages for each river; the last has no sentence of five words."""
    found = []
    for number, (river, city) in enumerate(zip(RIVERS, CITIES, strict=True)):
        texts = [
            f"The {river} is a river of Europe. It is {700 + 10 * number} kilometres long and reaches the sea slowly.",
            f"The largest city on the {river} is {city}. Barges carry gravel, wheat and wine to {city} every day. Why not?",
            f"Floods in {1900 + number}.",
        ]
        found += [Passage(f"{river.lower()}-{place}", river, text) for place, text in enumerate(texts)]
    return found


def links(path: Path) -> Path:
    """Every river's page links to the next five: as a table would."""
    with path.open("w") as file:
        for number, river in enumerate(RIVERS):
            for step in range(1, 6):
                other = RIVERS[(number + step) % len(RIVERS)]
                link = {
                    "title": river,
                    "section": "Neighbours",
                    "column": "River",
                    "mention": other,
                    "row_context": f"Distance : {step}00 km",
                    "positive": f"{other.lower()}-0",
                }
                file.write(json.dumps(link) + "\n")
    return path


def synthetic(path: Path) -> Path:
    """Two queries a passage, as a model would have written them."""
    with path.open("w") as file:
        for passage in passages():
            for text in (f"how long is the {passage.title}", f"what about {passage.passage_id}"):
                file.write(json.dumps({"passage_id": passage.passage_id, "text": text}) + "\n")
    return path


def material(seed: int = 0) -> Material:
    queries = {f"q{n}": f"which city lies on the {river}" for n, river in enumerate(RIVERS)}
    judged = {f"q{n}": {f"{river.lower()}-1": 1, f"{river.lower()}-2": 0} for n, river in enumerate(RIVERS)}
    judged["q0"]["seine-0"] = 2
    more = {f"r{n}": f"length of the {river}" for n, river in enumerate(RIVERS)}
    return Material(
        PassageStore.build(passages()),
        queries | more,
        judged | {f"r{n}": {f"{river.lower()}-0": 1} for n, river in enumerate(RIVERS)},
        tokenizer=byte_tokenizer(),
        seed=seed,
    )


def byte_tokenizer() -> ByT5Tokenizer:
    """Bytes as tokens, with a second mark beside the newline, as sources of n-grams need."""
    tokenizer = ByT5Tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<query>"]})
    return tokenizer
