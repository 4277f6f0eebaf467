"""What a configuration says of adapters; knows names and bounds, and imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Interval

from docid.extras import missing
from genret.config import Count, Positive, check_bounds
from genret.errors import InputError

__all__ = ["ADAPTER_CONFIG", "AdapterOptions", "is_adapter_folder", "load_peft"]

# PEFT's name.
ADAPTER_CONFIG = "adapter_config.json"


def is_adapter_folder(folder: Path) -> bool:
    """Whether a folder holds adapters, and no model of its own."""
    return (folder / ADAPTER_CONFIG).is_file()


@dataclass(frozen=True)
class AdapterOptions:
    """Adapters of a model's linear layers: they, and the rows of new tokens, are all that is trained.

    Attributes:
        kind: "lora" (Hu et al., "LoRA", ICLR 2022), "dora" (Liu et al., "DoRA", ICML 2024) or "ia3" (Liu et al.,
            "Few-Shot Parameter-Efficient Fine-Tuning", NeurIPS 2022).
        r: rank of LoRA's and DoRA's matrices.
        alpha: what they are added with is `alpha / r`; None: twice `r`.
        dropout: of what LoRA's and DoRA's matrices read.
        targets: names of linear layers, or the ends of their names (`q_proj`); none: all but the output layer, and for
            "ia3" those that peft knows for the model's type.
        export: "merged" writes whole weights with the adapters in them; "adapters" a folder in PEFT's layout, which
            needs the model that it was trained on beside it.
    """

    kind: Literal["lora", "dora", "ia3"] = "lora"
    r: Count = 16
    alpha: Positive | None = None
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    targets: list[str] = field(default_factory=list)
    export: Literal["merged", "adapters"] = "merged"

    def __post_init__(self) -> None:
        _require()
        check_bounds(self)
        if self.kind == "ia3" and (self.alpha is not None or self.dropout):
            raise InputError("alpha and dropout are of lora and dora; ia3 has neither. Leave them out.")

    @property
    def scale(self) -> float:
        """LoRA's alpha."""
        return 2.0 * self.r if self.alpha is None else self.alpha


def load_peft() -> Any:
    """The library.

    Raises:
        UsageError: it is not installed.
    """
    _require()
    return import_module("peft")


def _require() -> None:
    if find_spec("peft") is None:
        raise missing("an adapter", "peft", extra="adapters")
