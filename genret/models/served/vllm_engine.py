"""vLLM as the engine behind a backbone; knows vLLM's offline interface, and nothing of searches.

Log-probabilities are those before any processor, over the whole vocabulary (`logprobs_mode="raw_logprobs"`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from docid.extras import needs
from fm_index.files import read_json
from genret.errors import InputError, UsageError
from genret.hub import resolve_folder
from genret.models.backbone import Draw
from genret.models.served.served_backbone import ServedBackbone
from genret.tokenizer.load import load_tokenizer

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams

__all__ = ["VllmEngine", "end_tokens", "load_vllm"]

# vLLM takes at most so many of `logprob_token_ids`.
PIECE = 128
# Where more tokens are wanted of one prefix, all of the vocabulary cost less than the pieces.
PIECES = 16


class VllmEngine:
    """See `TokenEngine`.

    Args:
        llm: with `logprobs_mode` as it is by default; with `max_logprobs=-1` long lists of tokens are one request.

    Raises:
        UsageError: it gives log-probabilities of another kind. InputError: the model has no end token.
    """

    def __init__(self, llm: LLM) -> None:
        self.llm = llm
        model = llm.llm_engine.model_config
        if model.logprobs_mode != "raw_logprobs":
            raise UsageError(
                f"logprobs_mode={model.logprobs_mode!r}: scores would not be the model's; leave it at raw_logprobs."
            )
        self.vocab_size = int(model.get_vocab_size())
        self.gives_all = model.max_logprobs in (-1, self.vocab_size)
        found = end_tokens(model)
        if not found:
            raise InputError("the model's configuration has no eos_token_id; set it in config.json.")
        self.eos_token_id = found[0]

    def log_probs(
        self, prefixes: Sequence[list[int]], wanted: Sequence[npt.NDArray[np.int64] | None]
    ) -> list[npt.NDArray[np.float32]]:
        """See `TokenEngine.log_probs`: one request a prefix, or one a piece of 128 tokens."""
        asked: list[tuple[int, npt.NDArray[np.int64] | None]] = []
        for number, tokens in enumerate(wanted):
            if tokens is None or (self.gives_all and len(tokens) > PIECE * PIECES):
                asked.append((number, None))
            else:
                asked += [(number, tokens[begin : begin + PIECE]) for begin in range(0, len(tokens), PIECE)]
        params = [self._scoring(tokens) for _, tokens in asked]
        outputs = self._generate([prefixes[number] for number, _ in asked], params)
        parts: list[list[npt.NDArray[np.float32]]] = [[] for _ in wanted]
        for (number, piece), output in zip(asked, outputs, strict=True):
            found, tokens = self._read(output, piece), wanted[number]
            parts[number].append(found if piece is not None or tokens is None else found[tokens])
        return [np.concatenate([np.zeros(0, np.float32), *part]) for part in parts]

    def draw(self, prefixes: Sequence[list[int]], seeds: Sequence[int], how: Draw) -> list[list[int]]:
        """See `TokenEngine.draw`."""
        from vllm import SamplingParams

        params = [
            SamplingParams(
                temperature=how.temperature,
                top_k=how.top_k,
                top_p=how.top_p,
                max_tokens=how.max_tokens,
                stop_token_ids=list(how.stops),
                seed=seed,
                detokenize=False,
            )
            for seed in seeds
        ]
        found = []
        for output in self._generate(prefixes, params):
            tokens = list(output.outputs[0].token_ids)
            found.append(tokens[:-1] if tokens and tokens[-1] in how.stops else tokens)
        return found

    def _scoring(self, tokens: npt.NDArray[np.int64] | None) -> SamplingParams:
        from vllm import SamplingParams

        wanted: dict[str, Any] = {"logprobs": -1}
        if tokens is not None:
            wanted = {"logprob_token_ids": tokens.tolist()}
        elif not self.gives_all:
            raise UsageError(
                "all tokens' log-probabilities are needed: start vLLM with max_logprobs=-1 (--max-logprobs -1)."
            )
        # What is sampled is thrown away: one step says what there is to say.
        return SamplingParams(max_tokens=1, temperature=0, detokenize=False, flat_logprobs=True, **wanted)

    def _generate(self, prefixes: Sequence[list[int]], params: list[SamplingParams]) -> list[RequestOutput]:
        from vllm import TokensPrompt

        prompts = [TokensPrompt(prompt_token_ids=prefix) for prefix in prefixes]
        outputs: list[RequestOutput] = self.llm.generate(prompts, params, use_tqdm=False) if prompts else []
        return outputs

    def _read(self, output: RequestOutput, wanted: npt.NDArray[np.int64] | None) -> npt.NDArray[np.float32]:
        """The log-probabilities of one request; the sampled token's comes before the others'."""
        told = output.outputs[0].logprobs
        tokens, values = np.array(told.token_ids[1:]), np.array(told.logprobs[1:], np.float32)
        if wanted is not None:
            if not np.array_equal(tokens, wanted):
                raise RuntimeError("vLLM gave log-probabilities of other tokens than were asked for.")
            return values
        found = np.full(self.vocab_size, -np.inf, np.float32)
        found[tokens] = values
        return found


def load_vllm(
    folder_or_name: str,
    *,
    dtype: torch.dtype = torch.float32,
    engine: Mapping[str, Any] | None = None,
    **options: Any,
) -> ServedBackbone:
    """Start vLLM with the causal model of a folder, for `load_backbone("vllm:...")`.

    Args:
        engine: further arguments of `vllm.LLM`.
        options: `template` and `max_source_tokens`, as for `CausalBackbone`.

    Raises:
        InputError: there is no such folder or name. MissingPackage: vLLM is not installed.
    """
    folder: Path = resolve_folder(folder_or_name)
    with needs(f"vllm:{folder_or_name}", "vllm", extra="vllm"):
        from vllm import LLM
    given = {"max_logprobs": -1, "enable_prefix_caching": True, **_whole_prompts(folder), **(engine or {})}
    llm = LLM(model=str(folder), dtype=str(dtype).removeprefix("torch."), **given)
    config = llm.llm_engine.model_config.hf_config
    return ServedBackbone(VllmEngine(llm), load_tokenizer(folder), config=config, **options)


def end_tokens(model_config: Any) -> list[int]:
    """The tokens by which vLLM ends a model's output, the first one first; none where its configuration has none."""
    ends: list[int] = []
    for place in (model_config.try_get_generation_config(), model_config.hf_text_config.to_dict()):
        found = place.get("eos_token_id")
        ends += [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, int)]
    return list(dict.fromkeys(ends))


def _whole_prompts(folder: Path) -> dict[str, Any]:
    """On a CPU vLLM 0.32 fails where a request with a seed has its prompt read in parts: let none be."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return {}
    longest = read_json(folder / "config.json").get("max_position_embeddings")
    whole = {"max_num_batched_tokens": max(4096, longest)} if isinstance(longest, int) else {}
    return {"enable_chunked_prefill": False, **whole}
