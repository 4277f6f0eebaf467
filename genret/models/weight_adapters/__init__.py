"""Adapters of weights: a few beside a model's own, which alone are trained; through `peft`."""
