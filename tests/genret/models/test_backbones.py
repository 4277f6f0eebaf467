"""What every backbone promises, on tiny random models: steps, reorderings and batches against teacher forcing."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import pytest
import torch
from backbones import BACKBONES, CAUSAL, TEXTS
from floats import FORWARD, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genret.errors import InputError
from genret.models.backbone import Backbone
from genret.models.causal import SHARED_BEGINNING

CLOSE = {"atol": 1e-5, "rtol": 0.0}
TOKENS = range(4, 27)  # legal in every backbone


@pytest.fixture(scope="module", params=sorted(BACKBONES))
def backbone(request: pytest.FixtureRequest) -> Any:
    return BACKBONES[request.param]()


def random_tokens(*shape: int, seed: int = 1) -> Tensor:
    return torch.randint(TOKENS[0], TOKENS[-1] + 1, shape, generator=torch.Generator().manual_seed(seed))


def next_logits(backbone: Any, text: str, tokens: list[int]) -> Tensor:
    """The slow, obvious twin: logits after `tokens`, teacher-forced on one text alone."""
    with torch.no_grad():
        return backbone.target_logits(backbone.encode([text]), torch.tensor([[*tokens, TOKENS[0]]]))[0, -1]


def test_it_is_a_backbone(backbone: Any) -> None:
    assert isinstance(backbone, Backbone)
    assert isinstance(backbone, torch.nn.Module)
    assert backbone.device == torch.device("cpu")


@torch.no_grad()
def test_steps_give_teacher_forced_logits(backbone: Any) -> None:
    targets = random_tokens(len(TEXTS), 6)
    encoded = backbone.encode(TEXTS)
    expected = backbone.target_logits(encoded, targets)
    hidden, state = backbone.start(encoded)
    steps = [backbone.logits(hidden)]
    for column in range(targets.shape[1] - 1):
        hidden, state = backbone.step(state, targets[:, column])
        steps.append(backbone.logits(hidden))
    found = torch.stack(steps, 1)
    assert found.dtype == expected.dtype == torch.float32
    assert found.shape == (len(TEXTS), 6, backbone.vocab_size)
    assert expected.std() > 0.1  # a model whose logits are all alike would pass anything
    assert_close(found, expected, ulps=FORWARD)


@torch.no_grad()
def test_batches_give_what_single_texts_give(backbone: Any) -> None:
    targets = random_tokens(len(TEXTS), 3)
    together = backbone(TEXTS, targets)
    for row, text in enumerate(TEXTS):
        assert_close(together[row], backbone([text], targets[row : row + 1])[0], ulps=FORWARD)


@torch.no_grad()
def test_selected_queries_are_those_queries(backbone: Any) -> None:
    encoded, targets = backbone.encode(TEXTS), random_tokens(2, 3)
    some = backbone.target_logits(encoded.select(torch.tensor([2, 1])), targets)
    assert_close(some, backbone([TEXTS[2], TEXTS[1]], targets), ulps=FORWARD)


@torch.no_grad()
def test_source_lengths_are_what_encode_reads(backbone: Any) -> None:
    lengths = backbone.source_lengths(TEXTS)
    mask = backbone.encode(TEXTS).mask
    limit = mask.shape[1]  # a frozen encoder's memory may hold fewer states than its encoder reads
    assert mask.sum(1).tolist() == [min(length, limit) for length in lengths]
    assert len(set(lengths)) > 1


@torch.no_grad()
def test_several_tokens_in_one_step_are_as_many_steps(backbone: Any) -> None:
    tokens = random_tokens(len(TEXTS), 4)
    first, state = backbone.start(backbone.encode(TEXTS))
    del first
    together, after = backbone.step(state, tokens)
    for column in range(tokens.shape[1]):
        hidden, state = backbone.step(state, tokens[:, column])
        assert_close(together[:, column], hidden, ulps=FORWARD)
    assert_close(backbone.step(after, tokens[:, 0])[0], backbone.step(state, tokens[:, 0])[0], ulps=FORWARD)


@torch.no_grad()
def test_earlier_states_stay_as_they_were(backbone: Any) -> None:
    _, root = backbone.start(backbone.encode(TEXTS))
    _, state = backbone.step(root, random_tokens(len(TEXTS)))
    tokens = random_tokens(len(TEXTS), seed=2)
    before = backbone.step(state, tokens)[0]
    backbone.step(state, random_tokens(len(TEXTS), seed=3))
    backbone.reorder(state, torch.tensor([3, 3, 0, 1]))
    assert torch.equal(backbone.step(state, tokens)[0], before)


@settings(max_examples=12, deadline=None)
@given(data=st.data())
@torch.no_grad()
def test_any_walk_over_beams_gives_teacher_forced_logits(backbone: Any, data: st.DataObject) -> None:
    """Rows repeated, dropped, out of order, queries with different numbers of rows, several tokens at once."""
    _, state = backbone.start(backbone.encode(TEXTS))
    walks: list[tuple[int, list[int]]] = [(query, []) for query in range(len(TEXTS))]
    for step in range(data.draw(st.integers(1, 4))):
        rows = data.draw(st.lists(st.integers(0, len(walks) - 1), min_size=1, max_size=7))
        state = backbone.reorder(state, torch.tensor(rows))
        walks = [(walks[row][0], list(walks[row][1])) for row in rows]
        width = data.draw(st.integers(1, 3))
        shortest = 1 if backbone.feeds_several else width
        lengths = data.draw(st.lists(st.integers(shortest, width), min_size=len(rows), max_size=len(rows)))
        tokens = random_tokens(len(rows), width, seed=step)
        fed_lengths = torch.tensor(lengths) if backbone.feeds_several else None
        hidden, state = backbone.step(state, tokens, fed_lengths)
        for walk, fed, length in zip(walks, tokens.tolist(), lengths, strict=True):
            walk[1].extend(fed[width - length :])
    found = backbone.logits(hidden[:, -1])
    for (query, tokens_so_far), row in zip(walks, found, strict=True):
        assert_close(row, next_logits(backbone, TEXTS[query], tokens_so_far), ulps=FORWARD)


@torch.no_grad()
def test_a_promised_number_of_rows_changes_nothing(backbone: Any) -> None:
    _, state = backbone.start(backbone.encode(TEXTS))
    repeat = torch.arange(len(TEXTS)).repeat_interleave(3)
    order = torch.tensor([2, 0, 0, 3, 5, 4, 8, 8, 8, 9, 11, 10])
    tokens = random_tokens(12)
    results = []
    for promise in (None, 3):
        _, beams = backbone.step(backbone.reorder(state, repeat, promise), tokens)
        results.append(backbone.step(backbone.reorder(beams, order, promise), tokens)[0])
    assert torch.equal(*results)


@torch.no_grad()
def test_chosen_columns_are_columns_of_all_logits(backbone: Any) -> None:
    hidden, _ = backbone.start(backbone.encode(TEXTS))
    everything = backbone.logits(hidden)
    chosen = torch.tensor([5, 4, 20, 5])
    assert_close(backbone.logits(hidden, chosen), everything[:, chosen], ulps=FORWARD)
    out = torch.empty_like(everything)
    assert backbone.logits(hidden, out=out).data_ptr() == out.data_ptr()
    assert_close(out, everything, ulps=FORWARD)


@torch.no_grad()
def test_logits_of_half_precision_weights_are_float32(backbone: Any, request: pytest.FixtureRequest) -> None:
    half = BACKBONES[request.node.callspec.params["backbone"]]().to(torch.bfloat16)
    targets = random_tokens(len(TEXTS), 3)
    encoded = half.encode(TEXTS)
    logits = half.target_logits(encoded, targets)
    hidden, _ = half.start(encoded)
    first = half.logits(hidden)
    assert logits.dtype == first.dtype == torch.float32
    assert hidden.dtype == torch.bfloat16
    assert not torch.equal(
        first, first.to(torch.bfloat16).float()
    )  # not rounded to half precision on the way
    full = backbone.target_logits(backbone.encode(TEXTS), targets)
    assert_close(logits, full, within=0.3)


def test_training_reaches_every_parameter_that_wants_it(
    backbone: Any, request: pytest.FixtureRequest
) -> None:
    targets = random_tokens(len(TEXTS), 4)
    logits = backbone.train()(TEXTS, targets)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    wanting = {name: p for name, p in backbone.named_parameters() if p.requires_grad}
    idle = {name for name, p in wanting.items() if p.grad is None}
    backbone.zero_grad()
    backbone.eval()
    assert wanting
    # transformers gives an untied BART a table for each stack and leaves the shared one unused.
    untied_bart = request.node.callspec.params["backbone"] == "bart-untied"
    assert idle == ({"model.model.shared.weight"} if untied_bart else set())


@torch.no_grad()
def test_rows_that_cannot_differ_say_so(backbone: Any) -> None:
    _, state = backbone.start(backbone.encode(TEXTS))
    feed = lambda: backbone.step(state, random_tokens(len(TEXTS), 2), torch.tensor([2, 1, 2, 2]))  # noqa: E731
    if backbone.feeds_several:
        assert feed()[0].shape[:2] == (len(TEXTS), 2)
    else:
        with pytest.raises(InputError, match="different numbers of tokens"):
            feed()


@torch.no_grad()
@pytest.mark.parametrize("name", sorted(CAUSAL))
@pytest.mark.parametrize("letters", [0, 4, 12])
def test_what_prompts_begin_with_alike_is_read_once(name: str, letters: int) -> None:
    """Counted in tokens that the model is fed; the steps after it against teacher forcing."""
    backbone: Any = CAUSAL[name]()
    backbone.settings.template = "q " * letters + "{query} docid"
    encoded, targets = backbone.encode(TEXTS), random_tokens(len(TEXTS), 4)
    prompts = [row[mask].tolist() for row, mask in zip(encoded.input_ids, encoded.mask, strict=True)]
    common = len(list(takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False))))
    assert (common >= SHARED_BEGINNING) == (letters == 12)
    fed: list[int] = []
    embeddings = backbone.model.get_input_embeddings()
    handle = embeddings.register_forward_hook(lambda _module, inputs, _output: fed.append(inputs[0].numel()))
    hidden, state = backbone.start(encoded)
    handle.remove()
    saved = common * (len(TEXTS) - 1) if letters == 12 else 0
    assert sum(fed) == encoded.input_ids.numel() - saved
    steps = [backbone.logits(hidden)]
    for column in range(3):
        hidden, state = backbone.step(state, targets[:, column])
        steps.append(backbone.logits(hidden))
    assert_close(torch.stack(steps, 1), backbone.target_logits(encoded, targets), ulps=FORWARD)
