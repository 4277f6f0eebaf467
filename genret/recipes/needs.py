"""What a training run would need, before anything is trained: memory per device, steps, time.

Knows shapes and arithmetic; allocates no parameter. Model and optimizer states after Rajbhandari et al., "ZeRO", SC
2020, section 3; activations after Korthikanti et al., "Reducing Activation Recomputation in Large Transformer
Models", MLSys 2023, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from genret.errors import InputError
from genret.hub import open_pretrained, resolve_folder
from genret.jobs.progress import format_duration
from genret.models.shapes import T5Shape, given_values
from genret.recipes.recipe_options import DocidModelOptions

__all__ = [
    "MemoryNeeds",
    "RowCounts",
    "Shape",
    "activation_memory",
    "duration",
    "model_shape",
    "plan_lines",
    "sampled_rows",
    "state_memory",
]

STAGES = (0, 1, 2, 3)
GIB = 2**30
FLOAT, HALF = 4, 2
MOMENTS = 2


@dataclass(frozen=True)
class Shape:
    """A model's size.

    Attributes:
        parameters: all of them.
        head: those of the table of tokens, input and output, which grows with atomic docids.
        width, layers, heads, vocabulary: of encoder and decoder together (layers), or of each.
    """

    parameters: int
    head: int
    width: int
    layers: int
    heads: int
    vocabulary: int


@dataclass(frozen=True)
class RowCounts:
    """A table of tokens that a sampled loss updates by rows (see `genret.training.engines.row_adam`).

    Attributes:
        parameters: of the whole table.
        touched: of the rows that a step reads at most, in all processes: each gathers their gradients in float32.
    """

    parameters: int
    touched: int


@dataclass(frozen=True)
class MemoryNeeds:
    """Bytes on each device, and on its share of the host where the optimizer is offloaded."""

    parameters: float
    gradients: float
    optimizer: float
    host: float = 0.0

    @property
    def device(self) -> float:
        """All on the device."""
        return self.parameters + self.gradients + self.optimizer


def model_shape(model: DocidModelOptions, new_tokens: int = 0) -> Shape:
    """The shape of a configuration's model with `new_tokens` more in its vocabulary.

    Raises:
        InputError: the model is none of transformers' encoder-decoders or causal models.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, T5Config

    if model.config is not None:
        config: Any = T5Config(**given_values(T5Shape, model.config, "model.config"))
    elif model.name is not None and model.kind != "frozen-encoder":
        config = open_pretrained(AutoConfig, resolve_folder(model.name), "model")
    else:
        raise InputError(
            f"model.kind: no plan for {model.kind}; its decoder is small beside its encoder's states."
        )
    build = AutoModelForCausalLM if model.kind == "causal" else AutoModelForSeq2SeqLM
    with torch.device("meta"):
        built = build.from_config(config, trust_remote_code=False)
        built.resize_token_embeddings(config.vocab_size + new_tokens, mean_resizing=False)
    tables = {
        id(p): p.numel() for p in (built.get_input_embeddings().weight, built.get_output_embeddings().weight)
    }
    layers = config.num_hidden_layers + int(getattr(config, "num_decoder_layers", 0) or 0)
    return Shape(
        sum(parameter.numel() for parameter in built.parameters()),
        sum(tables.values()),
        config.hidden_size,
        layers,
        config.num_attention_heads,
        built.get_input_embeddings().weight.shape[0],
    )


def state_memory(
    parameters: int,
    stage: int,
    processes: int,
    *,
    bf16: bool,
    offload: bool = False,
    rows: RowCounts | None = None,
) -> MemoryNeeds:
    """Bytes of parameters, gradients and AdamW's state on each device at a ZeRO stage.

    Of `rows`, which are among the parameters, each device holds the whole table, gradients of the rows that were
    touched, and its share of the optimizer's state; none of it is offloaded.
    """
    compute = HALF if bf16 else FLOAT
    table = rows or RowCounts(0, 0)
    dense = parameters - table.parameters
    # In bf16 the optimizer keeps parameters in float32 as well; sharded engines keep such a copy in float32, too.
    state = FLOAT * (MOMENTS + (1 if bf16 or stage else 0))
    optimizer = state * dense / (processes if stage >= 1 else 1)
    return MemoryNeeds(
        compute * (dense / (processes if stage >= 3 else 1) + table.parameters),
        compute * dense / (processes if stage >= 2 else 1) + FLOAT * table.touched,
        state * table.parameters / processes + (0.0 if offload else optimizer),
        optimizer if offload else 0.0,
    )


def sampled_rows(shape: Shape, tokens: int, drawn: int) -> RowCounts:
    """The table of a model trained by a sampled loss; a step has `tokens` tokens, and `drawn` negatives.

    Both over all processes and micro-batches, which draw for themselves.
    """
    touched = min(shape.vocabulary, tokens + drawn)
    return RowCounts(shape.head, shape.head // shape.vocabulary * touched)


def activation_memory(
    shape: Shape, tokens: int, length: int, *, bf16: bool, checkpointing: bool, negatives: int | None = None
) -> float:
    """Bytes that the backward pass needs of one micro-batch of `tokens` tokens in texts of `length`.

    34 bytes a token, layer and unit of width in half precision, and 5 a pair of tokens and head; the float32
    logits and their gradient are counted for an eighth of the tokens, those of the docids, over the vocabulary or,
    under a sampled loss, over these tokens and the `negatives`.
    """
    docid_tokens = tokens / 8
    columns = shape.vocabulary if negatives is None else min(shape.vocabulary, negatives + docid_tokens)
    scale = 1 if bf16 else FLOAT / HALF
    if checkpointing:
        layers = HALF * scale * tokens * shape.width * (shape.layers + 1)
    else:
        layers = scale * tokens * shape.layers * (34 * shape.width + 5 * shape.heads * length)
    return layers + 3 * FLOAT * docid_tokens * columns


def plan_lines(
    shape: Shape,
    activations: float,
    processes: int,
    *,
    bf16: bool,
    offload: bool,
    rows: RowCounts | None = None,
) -> list[dict[str, str]]:
    """One line for each ZeRO stage, in GiB a device; 0 is plain torch where there is one process.

    With `rows`, only for the stages that update a table by rows.
    """
    lines = []
    for stage in STAGES if rows is None else STAGES[processes > 1 : 3]:
        offloads = offload and stage > 0
        memory = state_memory(shape.parameters, stage, processes, bf16=bf16, offload=offloads, rows=rows)
        lines.append(
            {
                "ZeRO": str(stage),
                "parameters": f"{memory.parameters / GIB:.2f}",
                "gradients": f"{memory.gradients / GIB:.2f}",
                "optimizer": f"{memory.optimizer / GIB:.2f}",
                "activations": f"{activations / GIB:.2f}",
                "device": f"{(memory.device + activations) / GIB:.2f}",
                "host": f"{memory.host / GIB:.2f}",
            }
        )
    return lines


def duration(steps: int, tokens: int, rate: float | None) -> str:
    """The time of so many steps of so many tokens at a measured rate."""
    if rate is None:
        return "not estimated: give --rate, tokens per second as measured"
    return format_duration(steps * tokens / rate)
