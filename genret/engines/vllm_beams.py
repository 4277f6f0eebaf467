"""Exact beams over a model that vLLM runs: our search, with vLLM asked for the log-probabilities of legal tokens.

vLLM's own beam search takes the best 2 x width of the whole vocabulary and looks at the constraint afterwards: a docid
whose tokens rank low is lost there. Here every legal token is a candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from genret.constraint import Constraint
from genret.decoding.beam import beam_search
from genret.decoding.steps.hypothesis import Hypothesis
from genret.models.served.served_backbone import ServedBackbone
from genret.models.served.vllm_engine import VllmEngine

if TYPE_CHECKING:
    from vllm import LLM

__all__ = ["constrained_beam_search"]


def constrained_beam_search(
    llm: LLM,
    prompts: Sequence[str | Sequence[int]],
    constraint: Constraint,
    num_beams: int = 10,
    *,
    score: Literal["full", "renormalised"] = "full",
    **options: Any,
) -> list[list[Hypothesis]]:
    """The best token sequences behind each prompt that the constraint allows, best first; exact as `beam_search` is.

    Args:
        llm: vLLM's; `max_logprobs=-1` saves requests where more than 2,048 tokens are legal.
        prompts: texts, which are read as vLLM reads them, or token ids.
        constraint: on the CPU, such as `retriever.constraint`.
        num_beams: live beams of a prompt.
        score: over the whole vocabulary, or over the legal tokens of each prefix.
        options: `num_return`, `length_penalty`, `min_length`, `max_length`, `prefixes` and `filters` of
            `beam_search`.

    Raises:
        UsageError: an argument is out of its range. InputError: the docids were made for another model.
    """
    backbone = ServedBackbone(VllmEngine(llm), None)
    # Asked for where it is needed: an engine may have none.
    ids = [llm.get_tokenizer()(one)["input_ids"] if isinstance(one, str) else list(one) for one in prompts]
    return beam_search(backbone, backbone.sources(ids), constraint, num_beams, score=score, **options)
