"""Packages: built, checked and tried (dist), on other processors (emulated), what they cost to install (sizes)."""
