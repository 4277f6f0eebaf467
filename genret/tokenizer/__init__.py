"""Vocabularies of one's own."""

from __future__ import annotations

from genret.tokenizer.train import train_tokenizer

__all__ = ["train_tokenizer"]
