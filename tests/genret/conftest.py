"""Beside this file lie helpers that tests below import by name: `from backbones import BACKBONES`."""
