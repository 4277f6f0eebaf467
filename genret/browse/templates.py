"""The one way to HTML: Jinja2 templates beside this file, with every value escaped.

Knows files; knows nothing of what they show.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["render"]


def render(name: str, **values: object) -> str:
    """The template `templates/<name>.html` with its values; a value that it asks for and lacks is an error."""
    return _environment().get_template(f"{name}.html").render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("genret.browse"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
