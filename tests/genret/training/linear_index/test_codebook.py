"""The linear index and its teacher: against slow twins, and on a problem whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from floats import FORWARD, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from docid import DocidTable
from docid.strategies import DocumentFields, Residual
from genret.errors import InputError
from genret.training.engines.engine import TorchEngine
from genret.training.examples.batch import collate
from genret.training.examples.example import Example
from genret.training.examples.feed import ExampleFeed
from genret.training.linear_index.codebook import CodebookModel, DocidPaths, fit_token_vectors
from genret.training.linear_index.query_side import QuerySide
from genret.training.linear_index.teacher import DenseTeacher
from genret.training.loop.trainer import Trainer
from genret.training.loop.training_options import OptimizerOptions, TrainingOptions


def unit(count: int, dim: int, seed: int) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def bound_table(vectors: np.ndarray, levels: int = 3, codes: int = 4) -> DocidTable:
    table = Residual(levels=levels, codes=codes).assign(DocumentFields(len(vectors), embeddings=vectors))
    return table.bind(range(3, 3 + len(table.new_tokens)))


SEQUENCES = st.lists(st.lists(st.integers(3, 9), min_size=1, max_size=4), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None)
@given(SEQUENCES)
def test_paths_spell_the_docids(sequences):
    table = DocidTable.build([str(row) for row in range(len(sequences))], sequences)
    paths = DocidPaths(table, (1, 2, 3))
    names = [*paths.token_ids.tolist(), None]
    spelled = [[names[place] for place in row if names[place] is not None] for row in paths.paths.tolist()]
    assert spelled == sequences
    for length, prefix in paths.prefixes.items():
        for a, first in enumerate(sequences):
            for b, second in enumerate(sequences):
                assert (prefix[a] == prefix[b]) == (first[:length] == second[:length])


@settings(max_examples=20, deadline=None)
@given(SEQUENCES, st.integers(0, 9))
def test_token_vectors_are_the_least_squares_ones(sequences, seed):
    table = DocidTable.build([str(row) for row in range(len(sequences))], sequences)
    paths = DocidPaths(table)
    vectors = unit(len(sequences), 5, seed)
    counts = np.zeros((len(sequences), len(paths.token_ids)))
    for row, sequence in enumerate(sequences):
        for token in sequence:
            counts[row, paths.token_ids.tolist().index(token)] += 1
    # Ridge regression as an ordinary one with rows added.
    wide = np.vstack([counts, np.sqrt(0.5) * np.eye(counts.shape[1])])
    tall = np.vstack([vectors, np.zeros((counts.shape[1], 5))])
    expected = np.linalg.lstsq(wide, tall, rcond=None)[0]
    assert_close(fit_token_vectors(paths, vectors).numpy(), expected, ulps=FORWARD)


def make(
    gold_share: float = 0.5, count: int = 60, side: QuerySide | None = None
) -> tuple[CodebookModel, list[Example]]:
    """Examples whose words are worth something to some passages, where the side has a weight of words."""
    vectors, queries = unit(count, 16, 0), unit(count, 16, 0) + 0.4 * unit(count, 16, 1)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    table = bound_table(vectors)
    texts = [f"query {row}" for row in range(count)]
    words = torch.from_numpy(np.random.default_rng(3).random((count, count)).astype(np.float32))
    lexical = None if side is None else lambda rows: words[rows]
    shares = {"query": gold_share}
    teacher = DenseTeacher(
        texts, queries, vectors, gold_share=shares, neighbours=5, side=side, lexical=lexical
    )
    examples = [Example(text, (3,), "query", 1.0, row) for row, text in enumerate(texts)]
    return CodebookModel(teacher, DocidPaths(table, (2,)), side=side, random_passages=7), examples


def test_teacher_mixes_gold_and_softmax():
    model, examples = make(0.25)
    teacher, batch = model.teacher, collate(examples[4:6], 0)
    rows, pool = teacher.rows(batch.sources), torch.tensor([2, 4, 5, 9])
    targets = teacher.targets(batch, rows, pool)
    for row, document in enumerate((4, 5)):
        scores = [float(teacher.vectors[document] @ teacher.passages[p]) / 0.05 for p in pool.tolist()]
        expected = 0.75 * torch.softmax(torch.tensor(scores), 0)
        expected[pool.tolist().index(document)] += 0.25
        assert_close(targets[row], expected, ulps=FORWARD)


def test_the_teacher_is_the_sum_of_vectors_and_words():
    side = QuerySide(torch.eye(16), 20.0, 0.4)
    model, examples = make(0.0, side=side)
    rows, pool = model.teacher.rows([examples[4].source]), torch.arange(60)
    scores = model.teacher.vectors[4] @ model.teacher.passages.T / 0.05
    scores = scores + 0.4 * model.teacher.lexical(rows, pool)[0]
    found = model.teacher.targets(collate([examples[4]], 0), rows, pool)[0]
    assert_close(found, torch.softmax(scores, 0), ulps=FORWARD)


def test_an_example_without_a_passage_is_all_the_teacher_s():
    model, examples = make(0.25)
    batch = collate([examples[4]._replace(document=-1)], 0)
    targets = model.teacher.targets(batch, model.teacher.rows(batch.sources), torch.arange(60))
    scores = model.teacher.vectors[4] @ model.teacher.passages.T / 0.05
    assert_close(targets[0], torch.softmax(scores, 0), ulps=FORWARD)


def test_teacher_names_a_text_that_it_does_not_know():
    model, _ = make()
    with pytest.raises(InputError, match="no vector of the text 'other'"):
        model.teacher.rows(["query 1", "other"])
    with pytest.raises(InputError, match="temperature"):
        DenseTeacher(["a"], unit(1, 4, 0), unit(2, 4, 1), gold_share={}, temperature=0.0)


@pytest.mark.parametrize("words", [False, True])
def test_loss_is_the_listwise_one_over_docids_and_over_prefixes(words):
    side = QuerySide(torch.eye(16), 20.0, 0.4) if words else None
    model, examples = make(side=side)
    batch = collate(examples[:3], 0, step=5)
    rows = model.teacher.rows(batch.sources)
    pool = model._pool(batch, rows)
    targets = model.teacher.targets(batch, rows, pool).double()
    total = 0.0
    for row in range(3):
        query = model.teacher.asked[rows[row]].double()
        for _ in range(2):  # before the map, which is the identity, and after it
            query = (query - query.mean()) / (query.var(correction=0) + 1e-5).sqrt()
        query = 20.0 * query / 4
        for length in (3, 2):
            scores, mass = {}, {}
            for place, document in enumerate(pool.tolist()):
                path = tuple(model.paths.paths[document, :length].tolist())
                scores[path] = sum(float(query @ model.tokens[token].detach().double()) for token in path)
                mass[path] = mass.get(path, 0.0) + float(targets[row, place])
                if length == 3:  # docids are ranked with their repeats, and with their words
                    lexical = model.teacher.lexical(rows[[row]], pool[[place]])
                    scores[path] += 0.0 if lexical is None else 0.4 * float(lexical)
                    scores[(place,)], mass[(place,)] = scores.pop(path), mass.pop(path)
            log_z = float(torch.logsumexp(torch.tensor(list(scores.values()), dtype=torch.float64), 0))
            total -= sum(mass[path] * (scores[path] - log_z) for path in scores)
    sums = model(batch)
    assert_close(sums.total, total, ulps=FORWARD)
    assert float(sums.weight) == 3.0


def test_pools_depend_on_the_step_alone_and_hold_the_gold_passages():
    model, examples = make()
    batch = collate(examples[:4], 0, step=9)
    rows = model.teacher.rows(batch.sources)
    first = model._pool(batch, rows)
    torch.rand(3)
    assert torch.equal(first, model._pool(batch, rows))
    assert {0, 1, 2, 3} <= set(first.tolist())
    assert first.tolist() == sorted(set(first.tolist()))


def test_training_finds_more_of_the_gold_passages(tmp_path):
    model, examples = make(gold_share=1.0)

    @torch.no_grad()
    def hits() -> int:
        scores = model.queries(model.teacher.vectors) @ model.documents(model.paths.paths).T
        return sum(
            int(scores[row].argmax() == model.teacher.rows([examples[row].source])[0]) for row in range(60)
        )

    before = hits()
    options = TrainingOptions(max_steps=100, batch_size=20, learning_rate=1e-2)
    engine = TorchEngine(model, OptimizerOptions(weight_decay=0.0))
    feed = ExampleFeed({"query": examples}, {"query": 1.0}, options, pad_token_id=0)
    Trainer(engine, feed, options, folder=tmp_path).train({})
    assert before < 35
    assert hits() > before + 5
