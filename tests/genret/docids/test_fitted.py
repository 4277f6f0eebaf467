"""The fitted strategy in a model folder: kept, checked against the docids beside it, and what it gives later passages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from backbones import sentence_encoder, t5
from floats import assert_close

from docid import DocidTable
from docid.strategies import STRATEGIES, Atomic, DocumentFields, Residual, Semantic, Strategy, Title
from genret.corpus import Passage
from genret.docids.fitted import STRATEGY_FILE, FittedStrategy
from genret.errors import ArtefactError, InputError
from genret.models.backbone import Backbone
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.vectors.embedding import passage_vectors

NAMES = ["river", "city", "mountain", "paris", "rome", "run", "walk", "read"]
PASSAGES = [Passage(f"p{n}", NAMES[n % 8], f"{NAMES[n // 8]} near {NAMES[n % 8]}") for n in range(24)]
LATER = [Passage("new", "rome", "who run near the river"), Passage("newer", "", "a city of paris")]


def frozen(strategy: Strategy) -> tuple[FittedStrategy, DocidTable, FrozenEncoderBackbone]:
    encoder = sentence_encoder()
    backbone = FrozenEncoderBackbone.build(encoder, d_model=48, decoder_layers=1, decoder_heads=4)
    vectors = passage_vectors(None, PASSAGES, encoder)
    table = strategy.assign(DocumentFields(len(PASSAGES), embeddings=vectors))
    return FittedStrategy(strategy, encoder.fingerprint), bound(table, backbone), backbone


def bound(table: DocidTable, backbone: Backbone) -> DocidTable:
    return table.bind(backbone.extend_vocabulary(table.new_tokens))


def test_a_later_passage_has_the_vector_that_it_would_have_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among all passages, at fit, and alone, of the encoder in the saved folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fitted, _, backbone = frozen(Residual(levels=2, codes=4))
    backbone.save_pretrained(tmp_path / "model")
    from genret.models import load_backbone

    loaded = load_backbone(tmp_path / "model")
    assert isinstance(loaded, FrozenEncoderBackbone)
    long = Passage("long", "rome", "who run near the river of paris " * 7)
    at_fit = passage_vectors(None, [*PASSAGES, *LATER, long], sentence_encoder())[len(PASSAGES) :]
    for row, passage in enumerate([*LATER, long]):
        found = fitted._vectors([passage], loaded)
        assert found.dtype == at_fit.dtype == np.float16
        # Stored in float16: numbers a rounding apart may be neighbours there, in a unit vector 2**-11 apart at most.
        assert_close(found[0], at_fit[row], within=2.0**-11)


def test_later_docids_are_what_the_strategy_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    strategy = Residual(levels=2, codes=4)
    fitted, table, backbone = frozen(strategy)
    grown = fitted.later(table, LATER, backbone)
    assert grown.is_bound
    codes = strategy.encode_later(fitted._vectors(LATER, backbone))
    assert grown.docids([24, 25]) == ["-".join(map(str, row)) for row in codes.tolist()]
    assert grown.docids(range(24)) == table.docids(range(24))


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        (Semantic(branching=2, leaf_size=3), "would need the new token <c"),
        (Residual(levels=1, codes=2, collisions="ordinal"), "would need the new token <c2_"),
    ],
)
def test_docids_that_need_new_tokens_are_refused(
    strategy: Strategy, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fitted, table, backbone = frozen(strategy)
    with pytest.raises(InputError, match=f"{strategy.name!r}: later passages {says}"):
        fitted.later(table, [PASSAGES[0]] * 24, backbone)


def test_each_model_says_what_it_cannot_give(tmp_path: Path) -> None:
    model = t5()
    residual = Residual(levels=2, codes=4)
    vectors = np.random.default_rng(0).normal(size=(24, 6)).astype(np.float32)
    table = bound(residual.assign(DocumentFields(24, embeddings=vectors)), model)
    for encoder in (None, "another"):
        with pytest.raises(
            InputError, match="'residual' gives docids by vectors, and the model does not hold"
        ):
            FittedStrategy(residual, encoder).later(table, LATER, model)
    atomic = Atomic()
    numbered = bound(atomic.assign(DocumentFields(24)), model)
    with pytest.raises(InputError, match="'atomic': later passages would need the new token <doc_24>"):
        FittedStrategy(atomic).later(numbered, LATER, model)


def test_docids_of_text_need_the_tokenizer_alone() -> None:
    model, title = t5(), Title()
    fitted = FittedStrategy(title)
    from genret.docids.make import make_docids
    from genret.tokenizer.plain_text import text_ids

    def spell(texts: list[str]) -> list[list[int]]:
        return text_ids(model.tokenizer, texts)

    table = make_docids(title, PASSAGES, lambda: np.empty(0), spell)
    grown = fitted.later(table, LATER, model)
    assert grown.docids([24, 25]) == ["rome", "untitled 25"]
    assert grown.sequence(24).tolist() == spell(["rome"])[0]


def test_what_did_not_give_the_docids_is_refused(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(24, 6)).astype(np.float32)

    def made(**options: int) -> tuple[Residual, DocidTable]:
        strategy = Residual(**options)  # type: ignore[arg-type]
        return strategy, strategy.assign(DocumentFields(24, embeddings=vectors))

    own, table = made(levels=3, codes=4)
    FittedStrategy(own).save(tmp_path)
    assert FittedStrategy.load(tmp_path, "e", table).encoder == "e"
    for options, says in (
        ({"levels": 2, "codes": 4}, "2 codes"),
        ({"levels": 3, "codes": 8}, "3 levels of 8"),
        ({"levels": 4, "codes": 3}, "4 levels of 3"),
    ):
        strange, _ = made(**options)
        FittedStrategy(strange).save(tmp_path)
        with pytest.raises(ArtefactError, match=f"belongs to other docids than those beside it: .*{says}"):
            FittedStrategy.load(tmp_path, None, table)
    FittedStrategy(Residual(levels=3, codes=4)).save(tmp_path)
    with pytest.raises(ArtefactError, match="not been fitted"):
        FittedStrategy.load(tmp_path, None, table)
    (tmp_path / STRATEGY_FILE).unlink()
    with pytest.raises(ArtefactError, match=STRATEGY_FILE):
        FittedStrategy.load(tmp_path, None, table)


def test_every_strategy_of_ours_is_found_again() -> None:
    class Guest(Title):
        name = "guest of this test"

    assert all(FittedStrategy(kind()).is_found_again() for kind in STRATEGIES.values())
    assert not FittedStrategy(Guest()).is_found_again()
