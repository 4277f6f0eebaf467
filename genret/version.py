"""The library's version, readable without importing torch."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("genret")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
