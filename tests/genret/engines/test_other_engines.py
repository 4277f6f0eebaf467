"""SGLang's and TensorRT-LLM's processors, called as these engines call them, by stand-ins: neither loads here."""

from __future__ import annotations

import importlib
import pickle
import sys
import weakref
from array import array
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from docid import DocidTrie
from genret.engines.named_sets import sets_here
from genret.errors import InputError

EOS, VOCAB = 1, 20
DOCIDS = [[3, 4], [3, 5, 6], [7], [7, 8], [9, 3, 4]]


def stand_in(monkeypatch: pytest.MonkeyPatch, engine: str, base: str) -> Any:
    """Our module of an engine, whose base class is an empty one."""
    module, name = base.split(":")
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:count]), ModuleType(".".join(parts[:count])))
    monkeypatch.setattr(sys.modules[module], name, type(name, (), {}), raising=False)
    monkeypatch.delitem(sys.modules, f"genret.engines.{engine}", raising=False)
    return importlib.import_module(f"genret.engines.{engine}")


@pytest.fixture
def titles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "titles.trie"
    DocidTrie.build(DOCIDS, EOS).save(path)
    monkeypatch.setenv("GENRET_CONSTRAINTS", f"titles={path}")
    sets_here.cache_clear()
    yield path
    sets_here.cache_clear()


class Req:
    """A request of SGLang 0.5.23: it is known to processors by a weak proxy, in a mapping of its own."""

    def __init__(self, prompt: list[int], custom: dict[str, Any], limit: int | None = 9) -> None:
        self.origin_input_ids, self.output_ids = array("q", prompt), array("q")
        self.custom_params = custom | {"__req__": weakref.proxy(self)}
        self.sampling_params, self.to_finish = SimpleNamespace(max_new_tokens=limit), None


@pytest.fixture
def sglang(titles: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Our processor for SGLang, and the way in which it ends requests."""
    module = stand_in(
        monkeypatch, "sglang", "sglang.srt.sampling.custom_logit_processor:CustomLogitProcessor"
    )
    for name in ("sglang.srt.managers", "sglang.srt.managers.schedule_batch"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    schedule: Any = sys.modules["sglang.srt.managers.schedule_batch"]
    schedule.FINISH_ABORT = lambda message, status, kind: (message, int(status), kind)
    return module.ConstraintProcessor()


def sglang_step(processor: Any, requests: list[Req], logits: torch.Tensor, drafts: int = 1) -> torch.Tensor:
    """As SGLang calls: the rows of these requests, gathered; what comes back is written into their places."""
    rows = (
        torch.arange(len(requests)).repeat_interleave(drafts) if drafts > 1 else torch.arange(len(requests))
    )
    selected = logits.index_select(0, rows)
    result = processor(selected, [requests[row].custom_params for row in rows.tolist()])
    assert result.shape == selected.shape
    return result


def test_sglang_gives_rows_in_any_order(sglang: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    requests = [
        Req([5, 7], {"genret": {"constraint": "titles", "prefix": int(n % 3 == 0)}}) for n in range(40)
    ]
    running = [request for n, request in enumerate(requests) if n % 4] + [Req([5], {"other": 1})]
    for step in range(8):
        order = torch.randperm(len(running), generator=generator).tolist()
        running = [running[place] for place in order]
        before = torch.rand(len(running), VOCAB, generator=generator)
        logits = sglang_step(sglang, running, before)
        for row, request in enumerate(running):
            if "genret" not in request.custom_params:
                assert torch.equal(logits[row], before[row])
            elif EOS not in request.output_ids:
                request.output_ids.append(int(logits[row].argmax()))
        if step == 1:  # some are retracted, and begin again
            for request in requests[5:9]:
                request.output_ids = array("q")
    for number, request in enumerate(requests):
        assert request.to_finish is None
        if number % 4:
            whole = [*([7] if number % 3 == 0 else []), *request.output_ids]
            assert whole[: whole.index(EOS)] in DOCIDS
    first = requests[1].custom_params["__genret__"].row.group
    used = first.used
    del running, request
    requests.clear()
    assert len(first.free) == used


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("titels", "did you mean 'titles'"),
        ({"constraint": "titles", "beams": 2}, "beams"),
        ({"constraint": "titles", "where": "year > 2"}, "has no fields"),
        ({"constraint": "titles", "prefix": 3}, "the prompt has fewer than 3 tokens"),
    ],
)
def test_sglang_answers_what_it_cannot_serve(sglang: Any, asked: Any, sentence: str) -> None:
    wrong, right = Req([5, 7], {"genret": asked}), Req([5, 7], {"genret": "titles"})
    logits = sglang_step(sglang, [wrong, right], torch.zeros(2, VOCAB))
    message, status, _ = wrong.to_finish
    assert sentence in message
    assert status == 400
    assert right.to_finish is None
    assert logits[1].isfinite().nonzero()[:, 0].tolist() == [3, 7, 9]


def test_sglang_with_drafts_or_overlap_is_told_of(sglang: Any) -> None:
    drafting, late = Req([5, 7], {"genret": "titles"}), Req([5, 7], {"genret": "titles"})
    sglang_step(sglang, [drafting], torch.zeros(1, VOCAB), drafts=3)
    assert "speculative" in drafting.to_finish[0]
    # With overlapped scheduling the second step is masked before the first one's token is told.
    sglang_step(sglang, [late], torch.zeros(1, VOCAB))
    sglang_step(sglang, [late], torch.zeros(1, VOCAB))
    late.output_ids.extend([3, 9])
    sglang_step(sglang, [late], torch.zeros(1, VOCAB))
    assert "--disable-overlap-schedule" in late.to_finish[0]


@pytest.fixture
def tensorrt(titles: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    return stand_in(monkeypatch, "tensorrt_llm", "tensorrt_llm.sampling_params:LogitsProcessor")


def sent(processor: Any) -> Any:
    """As the engine sends a request to its workers."""
    return pickle.loads(pickle.dumps(processor))  # noqa: S301 - our own


def test_tensorrt_llm_shows_beams_that_change_places(tensorrt: Any) -> None:
    with pytest.raises(InputError, match="titles"):
        tensorrt.ConstraintProcessor("titels")
    prompt, width, table = [5, 7, 7], 6, torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(2))
    processor = sent(tensorrt.ConstraintProcessor("titles"))
    beams, done = [(0.0, list[int]())], list[tuple[float, list[int]]]()
    while beams:
        logits = torch.stack([table[(prompt + tokens)[-1]] for _, tokens in beams])[:, None].clone()
        raw = logits[:, 0].log_softmax(1)
        processor(1, logits, [prompt + tokens for _, tokens in beams], None, None)
        found = [
            (score + float(raw[row, token]), [*tokens, token])
            for (row, (score, tokens)), token in product(enumerate(beams), range(VOCAB))
            if bool(logits[row, 0, token].isfinite())
        ]
        found.sort(reverse=True)
        done += [one for one in found if one[1][-1] == EOS]
        # The best first: parents come twice, not at all, and in another order.
        beams = [one for one in found if one[1][-1] != EOS][:width]
    assert sorted(tokens[:-1] for _, tokens in done) == sorted(DOCIDS)
    assert len(processor.rows._groups) == 1


def test_tensorrt_llm_gives_one_processor_to_several_requests(
    tensorrt: Any, caplog: pytest.LogCaptureFixture
) -> None:
    processor = sent(tensorrt.ConstraintProcessor("titles", prefix=1))
    prompts = {11: [5, 3], 12: [5, 5, 5, 9], 13: [7]}
    outputs: dict[int, list[int]] = {number: [] for number in prompts}
    for _ in range(4):
        for number, prompt in prompts.items():
            if EOS in outputs[number]:
                continue
            logits = torch.rand(1, 1, VOCAB, generator=torch.Generator().manual_seed(number))
            for _ in range(2 if not outputs[number] else 1):  # a prompt that is read in two parts
                processor(number, logits, [prompt + outputs[number]], None, None)
            outputs[number].append(int(logits.argmax()))
    assert [prompts[n][-1:] + outputs[n][:-1] in DOCIDS for n in prompts] == [True] * 3
    assert caplog.text == ""
    late = sent(tensorrt.ConstraintProcessor("titles"))
    for tokens in ([5], [5], [5, 3], [5, 3, 9]):
        late(1, torch.zeros(1, 1, VOCAB), [tokens], None, None)
    assert "disable_overlap_scheduler=True" in caplog.text
