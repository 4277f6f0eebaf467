"""Which shortcuts of a backbone give what its model gives to one sequence at a time, without cache or padding?

Knows backbones; knows no architecture. There are hundreds in transformers, with heads, masks, positions and
caches of their own. All shortcuts together are tried first; if they are exact, that is all. Otherwise they are
tried one by one, and those that are not exact are not used for this model. A model that is wrong without any is
refused, never answered from.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

from genret.errors import InputError
from genret.models.exactness.cases import REFUSALS, AnsweredCase, cases_of, crossed, reason, tolerance
from genret.models.exactness.paths import Company, Paths, Proof
from genret.models.exactness.walk import largest_difference

if TYPE_CHECKING:
    from genret.models.pretrained import PretrainedBackbone

__all__ = ["prove"]

_log = logging.getLogger(__name__)
# The paths that are tried one by one, each on top of those found good before it.
_STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sources of unlike length in one batch", {"sources": "padded"}),
    ("sources of equal length in one batch", {"sources": "equal"}),
    ("queries of unlike length in one batch", {"rows": "padded"}),
    ("queries of equal length in one batch", {"rows": "equal"}),
    ("shared attention", {"shared": True}),
    ("several tokens at a step", {"several": True}),
    ("tails in one pass", {"uneven": True}),
)
_SLOWEST = Paths(sources="alone", rows="alone", shared=False, several=False, uneven=False)
# What was found for models that are alive: another backbone on the same one need not ask again.
_found: WeakKeyDictionary[Any, dict[tuple[Any, ...], Proof]] = WeakKeyDictionary()


def prove(backbone: PretrainedBackbone, fastest: Paths) -> Proof:
    """The shortcuts of `fastest` that are exact for the model of `backbone`.

    What is off is said once in the log. A model without weights (on the meta device) is not asked.

    Raises:
        InputError: the model is wrong, or cannot be run, even one sequence at a time.
    """
    if backbone.device.type == "meta":
        return Proof(fastest)
    known = _found.setdefault(backbone.model, {})
    dtype = next(backbone.parameters()).dtype
    lengths = tuple(crossed(backbone))
    key = (type(backbone), backbone.device.type, dtype, lengths, backbone.pad_token_id, fastest)
    if key not in known:
        training = backbone.training
        backbone.eval()
        try:
            known[key] = _Check(backbone, fastest).proof()
        finally:
            backbone.train(training)
        if faults := known[key].faults:
            name = type(backbone.model).__name__
            _log.warning(
                "%s is decoded without shortcuts that are not exact for it: %s.", name, "; ".join(faults)
            )
    return known[key]


class _Check:
    """One model's self-check; what transformers itself computes is computed once."""

    def __init__(self, backbone: PretrainedBackbone, fastest: Paths) -> None:
        self.backbone, self.fastest = backbone, fastest
        self.name = type(backbone.model).__name__
        self.faults: list[str] = []
        self.tolerance = tolerance(next(backbone.parameters()).dtype)

    @torch.no_grad()
    def proof(self) -> Proof:
        """See `prove`."""
        self.asked = self._asked()
        # Those that cross no length feed as many tokens: side by side they cost half of the steps.
        plain = [one for one in self.asked if one.case.length is None]
        side_by_side = [AnsweredCase.joined(plain), *(one for one in self.asked if one.case.length)]
        if self._fault(self.fastest, side_by_side) is None:
            return Proof(self.fastest)
        paths = self._guarded(self._slowest())
        for name, step in _STEPS:
            (field,) = step
            if getattr(paths, field) in ("padded", step[field]) or not self._offered(paths, field):
                continue
            if fault := self._fault(replace(paths, **step), self.asked):
                self.faults.append(f"{name} ({fault})")
            else:
                paths = replace(paths, **step)
        return Proof(paths, tuple(self.faults))

    def _asked(self) -> list[AnsweredCase]:
        """The cases with transformers' own answers; without those for which the model has no positions.

        Raises:
            InputError: transformers itself cannot run the model.
        """
        asked = []
        for case in cases_of(self.backbone):
            try:
                asked.append(AnsweredCase.of(self.backbone, case))
            except REFUSALS as error:
                if not asked:
                    raise self._refused(f"it cannot be run on one sequence ({reason(error)})") from error
        return asked

    def _offered(self, paths: Paths, field: str) -> bool:
        """Whether a path is open to this kind of model, and means anything without a cache."""
        if field == "sources":
            return bool(self.backbone.model.config.is_encoder_decoder)
        if field == "rows":
            return True
        return bool(getattr(self.fastest, field)) and paths.cache and (field != "uneven" or paths.several)

    def _slowest(self) -> Paths:
        """One query at a time, token by token; without the cache or our output layer where these are wrong.

        Raises:
            InputError: that is wrong as well.
        """
        faults: dict[Paths, str] = {}
        sources: Company = "alone" if self.backbone.model.config.is_encoder_decoder else "padded"
        options: tuple[tuple[Company, bool], ...] = (("alone", True), ("equal", False), ("alone", False))
        for rows, cache in options:
            for head in (True, False):
                paths = replace(_SLOWEST, rows=rows, cache=cache, head=head, sources=sources)
                fault = self._fault(paths, self.asked[:1])
                if fault is None:
                    self._note(paths, faults)
                    return paths
                faults[paths] = fault
        raise self._refused(
            f"computed without a cache, one sequence at a time, its answer after a few tokens {fault} from its answer "
            "at that place of a longer sequence: it reads tokens that come later, or does not repeat itself"
        )

    def _note(self, paths: Paths, faults: dict[Paths, str]) -> None:
        """Say why `paths` are without a cache or our output layer."""
        if not paths.cache:
            self.faults.append(f"the cache ({faults[replace(paths, rows='alone', cache=True)]})")
        if not paths.head:
            self.faults.append(f"its output layer by itself ({faults[replace(paths, head=True)]})")

    def _guarded(self, paths: Paths) -> Paths:
        """`paths` without the cache where it is wrong: behind some tokens, beyond a length, or always."""
        for asked in list(self.asked[1:]):
            fault = self._fault(paths, [asked])
            if fault is not None and asked in self.asked:
                self.faults.append(f"the cache for {asked.case.name} ({fault})")
                paths = self._guard(paths, asked)
        if fault := self._fault(paths, self.asked):
            if not paths.cache:
                raise self._refused(f"one sequence at a time, without a cache, it {fault} from itself")
            self.faults.append(f"the cache ({fault})")
            return self._guarded(replace(paths, cache=False, whole_tokens=()))
        return paths

    def _guard(self, paths: Paths, asked: AnsweredCase) -> Paths:
        length = asked.case.length
        if length is None:
            padding = replace(paths, whole_tokens=(self.backbone.pad_token_id,))
            right = self._fault(padding, [asked]) is None
            return padding if right else replace(paths, whole_tokens=asked.case.special)
        paths = replace(paths, reach=min(length, paths.reach or length))
        cases = [one for one in self.asked if one.case.length == length]
        wrong = [one for one in cases if self._fault(paths, [one]) is not None]
        # What is refused need not be asked again.
        self.asked = [one for one in self.asked if one not in wrong]
        if not wrong:
            return paths
        return replace(paths, beyond="none" if wrong == cases else "long prompts")

    def _fault(self, paths: Paths, asked: Sequence[AnsweredCase]) -> str | None:
        """What is wrong with decoding by `paths`; None if nothing is."""
        try:
            self.backbone.use(paths)
            differences = [largest_difference(self.backbone, one) for one in asked]
        except REFUSALS as error:
            return f"raises {reason(error)}"
        wrong = [difference for difference in differences if not difference <= self.tolerance]
        return f"differs by {wrong[0]:.2g} standard deviations" if wrong else None

    def _refused(self, why: str) -> InputError:
        return InputError(f"{self.name} is not supported: {why}.")
