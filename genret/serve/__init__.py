"""A model folder as a service over HTTP: searches gathered into batches, passages, health, metrics, and a page for people.

Needs the extra `serve`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.serve.limits import Limits
    from genret.serve.listening import serve
    from genret.serve.service import Service, make_app

__all__ = ["Limits", "Service", "make_app", "serve"]

__getattr__ = lazy_names(__name__, {"limits": "Limits", "listening": "serve", "service": "Service make_app"})
