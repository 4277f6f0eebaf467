"""Wrong docids from a run: against plain Python over the run, and a decoder that learns to rank by them."""

from __future__ import annotations

import pytest
import torch
from backbones import BACKBONES
from floats import FORWARD, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from docid import DocidTable
from genret.corpus import Passage, PassageStore, write_run
from genret.errors import InputError
from genret.training.examples.batch import Batch, TrainingModule, collate
from genret.training.examples.example import Example
from genret.training.examples.sources import Material
from genret.training.losses import ranked_candidates
from genret.training.losses.loss_kinds import Training, make_loss
from genret.training.losses.ranked_candidates import RankedCandidates, RunHits

PASSAGES = PassageStore.build(Passage(f"p{row}", "", f"text {row}") for row in range(6))
QUERIES = {"a": "who", "b": "where", "c": "who", "d": "what"}
EOS = 1
# Of one length, so that a random model's scores are near enough for sampled rankings to differ.
DOCIDS = [[5, 6], [5, 7], [8, 6], [9, 5], [8, 6], [6, 6]]
RANKING = {
    "margin": {"cross_entropy": 0.0},
    "prefix-margin": {"cross_entropy": 0.0},
    "policy-gradient": {"cross_entropy": 0.0, "samples": 32},
    "dpo": {"beta": 1.0, "cross_entropy": 0.0},
}


def table(docids: list[list[int]]) -> DocidTable:
    return DocidTable.build([" ".join(map(str, docid)) for docid in docids], docids)


def batch_of(texts: list[str], docids: list[list[int]], pad: int = 0) -> Batch:
    rows = enumerate(zip(texts, docids, strict=True))
    return collate([Example(text, (*docid, EOS), "q", 1.0, row) for row, (text, docid) in rows], pad)


def slow(run, judgements, docids, text, own, count):
    """Wrong docids of a text, hit by hit."""
    asked = [query_id for query_id in run if QUERIES[query_id] == text and query_id in judgements]
    right = [int(one[1:]) for query in asked for one, grade in judgements[query].items() if grade > 0]
    found = []
    for query_id in asked:
        for passage_id, _ in sorted(run[query_id], key=lambda hit: -hit[1]):
            docid = docids[int(passage_id[1:])]
            if docid != own and docid not in found and docid not in [docids[row] for row in right]:
                found.append(docid)
    return [[*docid, EOS] for docid in found[:count]]


IDS = st.sampled_from([f"p{row}" for row in range(6)])
RUNS = st.dictionaries(st.sampled_from("abcd"), st.dictionaries(IDS, st.integers(0, 3)))


@settings(max_examples=60, deadline=None)
@given(
    RUNS,
    st.dictionaries(st.sampled_from("abcd"), st.dictionaries(IDS, st.integers(0, 2), min_size=1), min_size=1),
    st.lists(st.sampled_from([[5], [5, 6], [7]]), min_size=6, max_size=6),
    st.integers(1, 4),
)
def test_candidates_are_the_runs_passages_in_order(tmp_path_factory, run, judgements, docids, count):
    """Texts that two queries share, docids that passages share, several relevant passages, queries without any."""
    path = tmp_path_factory.mktemp("runs") / "run"
    hits = {
        query_id: [(one, float(score)) for one, score in found.items()] for query_id, found in run.items()
    }
    write_run(path, hits, query_ids=["a"])
    judged = {query_id: grades for query_id, grades in judgements.items() if query_id in {*run, "a"}}
    material = Material(PASSAGES, QUERIES, judged)
    if not judged:
        with pytest.raises(InputError, match="none of its"):
            RunHits.read(str(path), material, table(docids), EOS, count + 1)
        return
    find = RunHits.read(str(path), material, table(docids), EOS, count + 1)
    batch = batch_of(["who", "where", "what", "when"], [[5], [5, 6], [7], [5]])
    listed = RankedCandidates(find, count).listed(None, None, batch)
    order = {**hits, "a": hits.get("a", [])}
    for text, own, found in zip(batch.sources, [[5], [5, 6], [7], [5]], listed, strict=True):
        assert found == [[*own, EOS], *slow(order, judged, docids, text, own, count)]


def ranking(kind: str, rows: dict[str, list[int]], **changes: float):
    """A tiny T5 and its objective with the candidates `rows`, which fails if anything is searched."""
    backbone, docids = BACKBONES["t5"](), table(DOCIDS)
    backbone.model.shared.weight.data.mul_(0.3)
    loss = make_loss({"kind": kind, **RANKING[kind], **changes})
    find = RunHits(rows, docids, EOS)
    return TrainingModule(backbone, loss.objective(Training(backbone, docids, find=find)), loss.weigh)


@pytest.mark.parametrize("kind", RANKING)
def test_a_decoder_learns_to_put_the_right_docid_before_the_runs(kind, monkeypatch):
    """The optimum of both losses has the right docid first; that of the margin loss is zero."""
    monkeypatch.setattr(ranked_candidates, "beam_search", lambda *_: pytest.fail("nothing is to be searched"))
    module = ranking(kind, {"who": [1, 2, 3], "where": [0, 5]})
    batch = batch_of(["who", "where"], [DOCIDS[0], DOCIDS[3]])
    optimizer = torch.optim.AdamW(module.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        module(batch).mean.backward()
        optimizer.step()
    module.eval()
    with torch.inference_mode():
        scored = module.objective.candidates(module.backbone, module.encoded, batch)
    assert scored.real.tolist() == [[True] * 4, [True, True, True, False]]
    gaps = (scored.scores[:, :1] - scored.scores[:, 1:])[scored.real[:, 1:]]
    assert gaps.min() > (0.9 if "margin" in kind else 0.0)


@pytest.mark.parametrize("kind", RANKING)
def test_an_example_without_candidates_has_its_cross_entropy_alone(kind):
    """By itself, and beside one that has candidates: loss and gradients are the docid's cross-entropy's."""
    batch = batch_of(["when"], [DOCIDS[3]])
    silent = ranking(kind, {"who": [1, 2]})
    nothing = silent(batch)
    nothing.total.backward()
    assert float(nothing.total.detach()) == 0.0
    assert all(one.grad is None or not one.grad.any() for one in silent.parameters())
    module = ranking(kind, {"who": [1, 2]}, cross_entropy=0.5)
    both = batch_of(["who", "when"], [DOCIDS[0], DOCIDS[3]])
    module.eval()
    whole, first, own = (module(one) for one in (both, batch_of(["who"], [DOCIDS[0]]), batch))
    if "margin" in kind:
        assert_close(whole.total, first.total + own.total, ulps=FORWARD)
    log_probs = module.backbone.target_logits(module.encoded(batch), batch.targets).log_softmax(-1)
    expected = -0.5 * log_probs.gather(-1, batch.targets[..., None]).sum()
    assert_close(own.total, expected, ulps=FORWARD)
    whole.total.backward()
    gradients = [one.grad for one in module.parameters() if one.grad is not None]
    assert gradients
    assert all(torch.isfinite(one).all() for one in gradients)


def test_candidates_may_be_what_judgements_refuse():
    """Passages of grade 0, in the order of the judgements; what any query of the text calls right is none."""
    judged = {"a": {"p1": 0, "p0": 1, "p4": 0, "p2": 0}, "c": {"p2": 1, "p5": -1}, "b": {"p3": 1}}
    find = RunHits.judged(Material(PASSAGES, QUERIES, judged), table(DOCIDS), EOS, 5)
    batch = batch_of(["who", "where", "when"], [DOCIDS[0], DOCIDS[3], DOCIDS[1]])
    # The fifth passage has the third one's docid, which is right for the second query of the text.
    assert find(None, None, batch) == [[[*DOCIDS[1], EOS], [*DOCIDS[5], EOS]], [], []]
    with pytest.raises(InputError, match=r"loss.judged: data.judgements holds no passage of grade 0"):
        RunHits.judged(Material(PASSAGES, QUERIES, {"a": {"p1": 1}}), table(DOCIDS), EOS, 5)
    with pytest.raises(InputError, match="judged: wrong docids come from judgements or from a run"):
        make_loss({"kind": "dpo", "judged": True, "run": __file__})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q9 Q0 p1 1 1.0 x", "run: query 'q9' is none of the queries that training reads"),
        ("a Q0 p9 1 1.0 x", "run, query 'a': passage 'p9' is not in the corpus"),
        ("d Q0 p1 1 1.0 x", "run: none of its 1 queries is one of data.judgements"),
        ("a p1 1.0", "run, line 1: expected 6 columns"),
    ],
)
def test_a_run_that_does_not_fit_is_named(tmp_path, line, message):
    path = tmp_path / "run"
    path.write_text(line + "\n")
    material = Material(PASSAGES, QUERIES, {"a": {"p0": 1}})
    with pytest.raises(InputError, match=message):
        RunHits.read(str(path), material, table(DOCIDS), EOS, 3)


def test_options_without_sense_are_named(tmp_path):
    with pytest.raises(InputError, match=r"run: .*absent: no such file"):
        make_loss({"kind": "margin", "run": str(tmp_path / "absent")})
    with pytest.raises(InputError, match="unknown key 'run'"):
        make_loss({"kind": "consistency", "run": str(tmp_path)})
