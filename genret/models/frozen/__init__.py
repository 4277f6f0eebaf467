"""Decoders on a frozen sentence encoder."""
