"""What of an n-gram retriever's misses is the model's, the search's, the keys' or the scorer's.

    python -m benchmarks.ngrams.oracle MODEL BOOLQ_FOLDER OUTPUT [--split train --held-back 0.05 --count 100]
    python -m benchmarks.ngrams.oracle MODEL BOOLQ_FOLDER OUTPUT --split dev --ids configs/ngrams_boolq_dev500.txt

Each question is answered with the retriever's own keys, and then with keys added that only an oracle has:

- `title`: the right passage's title, with the model's own probability;
- `spans`: every n-gram of the right passage that a view's length allows, with the model's own probabilities;
- `page`: the same for three passages of that title at most, so that the right one is not the only one to gain;
- `sure title`, `sure span`: the title, or the span of six words that shares most with the question, as if the model
  were certain of it.

A question that is missed in ten is then somebody's: nothing of the right passage among the keys (not located); the search's,
if the passage's own title and n-grams, had they been written, would have found it with the model's probabilities; the
model's, if certainty would; else the scorer's. OUTPUT/oracle.jsonl has a line a question, and a killed run goes on there.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from fm_index.keys import Keys
from genret.corpus import read_judgements, read_queries
from genret.indexing.layout import encode_field
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.ngrams import NgramRetriever
from genret.retrieval.ngrams.key_maker import QueryKeys
from genret.training.examples.material import split_held_back

DEPTH = 1500
WORDS = 6
PAGE = 3
ADDED = {
    "own keys": (),
    "title": ("title",),
    "spans": ("spans",),
    "title and spans": ("title", "spans"),
    "page": ("title", "page"),
    "sure title": ("sure title",),
    "sure span": ("sure span",),
    "both sure": ("sure title", "sure span"),
}


class Oracle:
    """Keys that a retriever would have if it knew the answer."""

    def __init__(self, retriever: NgramRetriever) -> None:
        self.retriever, self.backbone = retriever, retriever.backbone
        views = retriever.options.views
        self.title = next(view for view in views.values() if view.prefix == "title")
        self.body = next(view for view in views.values() if view.keys == "decoded" and not view.prefix)
        store = retriever.passages
        self.titles: dict[str, list[int]] = {}
        for row, title in enumerate(store.titles):
            self.titles.setdefault(title, []).append(row)

    def keys(self, query: str, row: int) -> dict[str, Keys]:
        """By kind, for the passage in `row`."""
        store, layout = self.retriever.passages, self.retriever.text_index.layout
        assert layout is not None, "the index must mark its fields"
        title, text = encode_field(self.backbone.tokenizer, [store.titles[row], store.texts[row]])
        named = [*title, layout.separator]
        span = encode_field(self.backbone.tokenizer, [likeliest_span(store.texts[row], query)])[0]
        rows = [row, *(one for one in self.titles[store.titles[row]] if one != row)][:PAGE]
        others = [store.texts[one] for one in rows]
        page = encode_field(self.backbone.tokenizer, others)
        return {
            "title": self._titles([named], self._log_probs(self.title.source, query, [named])),
            "spans": self._spans(query, [text]),
            "page": self._spans(query, page),
            "sure title": self._titles([named], [0.0]),
            "sure span": Keys.from_ngrams([span], [0.0]),
        }

    def _titles(self, ngrams: Sequence[Sequence[int]], log_probs: Sequence[float]) -> Keys:
        return Keys.from_ngrams(ngrams, log_probs, multipliers=self.title.weight, at_start=True)

    def _spans(self, query: str, texts: Sequence[Sequence[int]]) -> Keys:
        """Every n-gram of up to the view's length, once, with the model's probability."""
        found: dict[tuple[int, ...], float] = {}
        windows = sorted(
            {tuple(text[at : at + self.body.length]) for text in texts for at in range(len(text))}
        )
        for window, sums in zip(windows, self._sums(self.body.source, query, windows), strict=True):
            for size in range(1, len(window) + 1):
                found[window[:size]] = sums[size - 1]
        return Keys.from_ngrams(list(found), list(found.values()), multipliers=self.body.weight)

    def _log_probs(self, source: str, query: str, ngrams: Sequence[Sequence[int]]) -> list[float]:
        return [sums[-1] for sums in self._sums(source, query, ngrams)]

    @torch.inference_mode()
    def _sums(self, source: str, query: str, ngrams: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-probabilities of each n-gram's beginnings; the prompt is read once."""
        backbone, width = self.backbone, max(map(len, ngrams))
        hidden, state = backbone.start(backbone.encode([source.replace("{query}", query)]))
        first = torch.log_softmax(backbone.logits(hidden), -1)
        found: list[list[float]] = []
        for begin in range(0, len(ngrams), 64):
            part = ngrams[begin : begin + 64]
            padded = torch.full((len(part), width), backbone.eos_token_id)
            for place, ngram in enumerate(part):
                padded[place, : len(ngram)] = torch.tensor(ngram)
            rows = torch.zeros(len(part), dtype=torch.int64)
            sums = first[0, padded[:, :1]]
            if width > 1:
                states, _ = backbone.step(backbone.reorder(state, rows), padded[:, :-1])
                later = torch.log_softmax(backbone.logits(states), -1).gather(-1, padded[:, 1:, None])[..., 0]
                sums = torch.cat([sums, later], 1)
            totals = sums.cumsum(1).clamp(max=0).tolist()
            found += [row[: len(ngram)] for row, ngram in zip(totals, part, strict=True)]
        return found


def likeliest_span(text: str, query: str) -> str:
    """The `WORDS` words that share most words with the question, the first of several."""
    words, asked = text.split(), set(query.lower().split())
    common = [word.lower().strip(".,;:()\"'") in asked for word in words]
    best = max(range(max(1, len(words) - WORDS + 1)), key=lambda at: (sum(common[at : at + WORDS]), -at))
    return " ".join(words[best : best + WORDS])


def ranks(
    retriever: NgramRetriever, own: QueryKeys, oracle: dict[str, Keys], row: int
) -> dict[str, int | None]:
    """The right passage's rank with each set of keys, from 1; None: it is not among those that were located."""
    variants = []
    for kinds in ADDED.values():
        more = [oracle[kind] for kind in kinds]
        names = [name for kind, part in zip(kinds, more, strict=True) for name in [kind] * len(part)]
        variants.append(QueryKeys(Keys.concatenate([own.keys, *more]), [*own.views, *names]))
    found = retriever.score(variants, DEPTH)
    return {
        name: next((at + 1 for at, one in enumerate(scored.passages.tolist()) if one == row), None)
        for name, scored in zip(ADDED, found, strict=True)
    }


def blame(found: dict[str, int | None]) -> str:
    """Whose a question is that is missed in ten."""

    def hit(*names: str) -> bool:
        return any(rank is not None and rank <= 10 for rank in (found[name] for name in names))

    if hit("own keys"):
        return "found"
    if hit("title", "spans", "title and spans"):
        return "the search's, not located" if found["own keys"] is None else "the search's, located"
    if hit("sure title", "sure span", "both sure"):
        return "the model's, not located" if found["own keys"] is None else "the model's, located"
    return "the scorer's"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--held-back", type=float, default=0.05)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--ids", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    retriever = load_retriever(given.model)
    assert isinstance(retriever, NgramRetriever), f"{given.model} emits no n-grams"
    texts = {query.query_id: query.text for query in read_queries(given.corpus)}
    judged = read_judgements(given.corpus, given.split)
    ids = given.ids.read_text().split() if given.ids else split_held_back(list(judged), given.held_back, 0)[1]
    given.output.mkdir(parents=True, exist_ok=True)
    path = given.output / "oracle.jsonl"
    done = {}
    if path.exists():
        done = {line["query_id"]: line for line in map(json.loads, path.read_text().splitlines())}
    oracle = Oracle(retriever)
    with path.open("a") as file:
        for query_id in ids[: given.count]:
            if query_id in done:
                continue
            row = retriever.passages.row(next(one for one, grade in judged[query_id].items() if grade > 0))
            (own,) = retriever.maker.keys([texts[query_id]])
            found = ranks(retriever, own, oracle.keys(texts[query_id], row), row)
            without = own.without(
                [name for name, view in retriever.options.views.items() if view.keys == "query"]
            )
            found["without the question's words"] = next(
                (
                    at + 1
                    for at, one in enumerate(retriever.score([without], DEPTH)[0].passages.tolist())
                    if one == row
                ),
                None,
            )
            done[query_id] = {"query_id": query_id, "ranks": found, "whose": blame(found)}
            file.write(json.dumps(done[query_id]) + "\n")
            file.flush()
    report([done[query_id] for query_id in ids[: given.count]])


def report(lines: Sequence[dict]) -> None:
    print(f"{len(lines)} questions\n\n| keys | hit@1 | hit@10 | located |\n| --- | ---: | ---: | ---: |")
    for name in lines[0]["ranks"]:
        found = [line["ranks"][name] for line in lines]
        shares = [sum(rank is not None and rank <= k for rank in found) / len(lines) for k in (1, 10, DEPTH)]
        print(f"| {name} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")
    print("\n| missed in ten, whose it is | questions |\n| --- | ---: |")
    for name, count in Counter(line["whose"] for line in lines).most_common():
        print(f"| {name} | {count} |")


if __name__ == "__main__":
    main()
