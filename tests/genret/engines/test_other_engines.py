"""SGLang's and TensorRT-LLM's processors, called as these engines call them, by stand-ins: neither loads here."""

from __future__ import annotations

import importlib
import sys
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from docid import DocidTrie
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
def titles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "titles.trie"
    DocidTrie.build(DOCIDS, EOS).save(path)
    monkeypatch.setenv("GENRET_CONSTRAINTS", f"titles={path}")
    return path


class Req(SimpleNamespace):
    """A request of SGLang, which has an identity of its own."""

    __hash__ = object.__hash__


@pytest.mark.usefixtures("titles")
def test_sglang_gives_rows_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    module = stand_in(
        monkeypatch, "sglang", "sglang.srt.sampling.custom_logit_processor:CustomLogitProcessor"
    )
    processor, torch_random = module.ConstraintProcessor(), torch.Generator().manual_seed(1)
    requests = [Req(origin_input_ids=[5, 7], output_ids=[]) for _ in range(40)]
    given = [
        {"genret": {"constraint": "titles", "prefix": int(n % 3 == 0)}, "__req__": r}
        for n, r in enumerate(requests)
    ]
    running = [given[n] for n in range(40) if n % 4] + [{"__req__": requests[0]}]
    for step in range(8):
        order = torch.randperm(len(running), generator=torch_random).tolist()
        running = [running[place] for place in order]
        logits = torch.rand(len(running), VOCAB, generator=torch_random)
        before = logits.clone()
        assert processor(logits, running) is logits
        for row, params in enumerate(running):
            if "genret" not in params:
                assert torch.equal(logits[row], before[row])
            else:
                params["__req__"].output_ids.append(int(logits[row].argmax()))
        if step == 1:  # some are retracted, and begin again
            for request in requests[5:9]:
                request.output_ids = []
    for number, request in enumerate(requests):
        if number % 4:
            whole = [*([7] if number % 3 == 0 else []), *request.output_ids]
            assert whole[: whole.index(EOS)] in DOCIDS
    first = processor.followed[requests[1]].row.group
    used = first.used
    del running, given, params
    requests.clear()
    del request
    assert len(processor.followed) == 0
    assert len(first.free) == used


@pytest.mark.usefixtures("titles")
def test_tensorrt_llm_shows_beams_that_change_places(monkeypatch: pytest.MonkeyPatch) -> None:
    module = stand_in(monkeypatch, "tensorrt_llm", "tensorrt_llm.sampling_params:LogitsProcessor")
    with pytest.raises(InputError, match="titles"):
        module.ConstraintProcessor("titels")
    prompt, width, table = [5, 7, 7], 6, torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(2))
    processor = module.ConstraintProcessor("titles")
    beams, done = [(0.0, list[int]())], list[tuple[float, list[int]]]()
    while beams:
        logits = torch.stack([table[(prompt + tokens)[-1]] for _, tokens in beams])[None].clone()
        raw = logits[0].log_softmax(1)
        processor(1, logits, [prompt + tokens for _, tokens in beams], None, None)
        found = [
            (score + float(raw[row, token]), [*tokens, token])
            for (row, (score, tokens)), token in product(enumerate(beams), range(VOCAB))
            if bool(logits[0, row, token].isfinite())
        ]
        found.sort(reverse=True)
        done += [one for one in found if one[1][-1] == EOS]
        # The best first: parents come twice, not at all, and in another order.
        beams = [one for one in found if one[1][-1] != EOS][:width]
    assert sorted(tokens[:-1] for _, tokens in done) == sorted(DOCIDS)
    assert len(processor.rows._groups) == 1
