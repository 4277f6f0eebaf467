"""Published checkpoints, of other libraries and untrusted, as model folders of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.importing.folder import LIKE, import_model
    from genret.importing.torch_file import TorchFile

__all__ = ["LIKE", "TorchFile", "import_model"]

__getattr__ = lazy_names(
    __name__,
    {
        "folder": "LIKE import_model",
        "torch_file": "TorchFile",
    },
)
