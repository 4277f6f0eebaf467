"""The options of every command for which a language model writes texts, its prompts, and the model that they name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genret.cli.numbers import LARGEST_SEED, finite

if TYPE_CHECKING:
    from genret.models.backbone import Backbone

__all__ = [
    "ModelKind",
    "ModelName",
    "Seed",
    "SourceTokens",
    "Temperature",
    "WriterOptions",
    "few_shot",
]

ModelName = Annotated[
    str | None,
    typer.Option(
        help="Model folder or hub name, with vllm: before it for vLLM to run it; default: SmolLM2 from its package."
    ),
]
ModelKind = Annotated[str, typer.Option(help="causal or encoder-decoder.")]
Temperature = Annotated[float, typer.Option(help="Below 1 sharpens.", min=1e-6, max=1e6, callback=finite)]
SourceTokens = Annotated[int, typer.Option(help="Tokens read of a text and its prompt.", min=8, max=1 << 20)]
Seed = Annotated[int, typer.Option(help="Of the draws.", min=0, max=LARGEST_SEED)]

# Passages and questions for examples to continue: a small model follows examples better than an instruction.
EXAMPLES = (
    (
        "Zinc. Zinc is a slightly brittle metal at room temperature and has a shiny appearance when oxidation is "
        "removed. It is the first element in group 12 of the periodic table.",
        "is zinc a metal or a nonmetal",
    ),
    (
        "Tour de France. The Tour de France is a bicycle race held in France each July. It has been held annually "
        "since 1903, except when it was stopped for the two World Wars.",
        "was the tour de france held during world war 2",
    ),
    (
        "Driving licence in Ireland. Holders of a learner permit must be accompanied by a person who has held a full "
        "licence for at least two years.",
        "can you drive alone with a learner permit in ireland",
    ),
)


def few_shot(example: str, asked: str) -> str:
    """The examples, {passage} and {question} of `example` filled in, and `asked` to continue."""
    shown = [example.format(passage=passage, question=question) for passage, question in EXAMPLES]
    return "\n\n".join([*shown, asked])


@dataclass(frozen=True)
class WriterOptions:
    """A model and its prompt as the options name them.

    Attributes:
        model: folder or hub name; None: SmolLM2 from its package.
        prompt: None: `default` for a causal model, none for an encoder-decoder.
        placeholder: what stands in a prompt where the text goes.

    Raises:
        UsageError: there is no such kind, or the prompt lacks the placeholder.
    """

    model: str | None
    kind: str
    prompt: str | None
    default: str
    placeholder: str
    source_tokens: int

    def __post_init__(self) -> None:
        from genret.errors import UsageError

        if self.kind not in ("causal", "encoder-decoder"):
            raise UsageError(f"--kind: expected causal or encoder-decoder, found {self.kind!r}.")
        if self.prompt is not None and self.placeholder not in self.prompt:
            raise UsageError(f"--prompt: expected {self.placeholder} in it, where the text goes.")

    @property
    def template(self) -> str | None:
        """The prompt that is used."""
        return self.default if self.prompt is None and self.kind == "causal" else self.prompt

    @property
    def name(self) -> str:
        """Everything that its texts depend on."""
        return f"{self.model or 'smollm2'} {self.kind} {self.template} {self.source_tokens}"

    def check(self, job: Path) -> None:
        """Look for the model of a job that has not begun, so that none is begun with a name that is wrong.

        Raises:
            InputError: there is no such folder or name. MissingPackage: what is to run it is not installed.
        """
        from genret.models.loading import check_loadable

        if self.model is not None and not job.exists():
            check_loadable(self.model)

    def load(self) -> Backbone:
        """The model, which reads texts in the prompt."""
        from genret.jobs.cache_folder import default_cache
        from genret.models import load_backbone
        from genret.models.smollm2 import smollm2_folder

        folder = self.model or str(smollm2_folder(default_cache("models")))
        kind: Literal["causal", "encoder-decoder"] = "causal" if self.kind == "causal" else "encoder-decoder"
        options: dict[str, Any] = {"max_source_tokens": self.source_tokens}
        if self.template is not None:
            options["template"] = self.template.replace(self.placeholder, "{query}")
        return load_backbone(folder, kind, **options)
