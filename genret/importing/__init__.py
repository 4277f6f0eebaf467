"""Published checkpoints, of other libraries and untrusted, as model folders of this one."""

from genret.importing.folder import LIKE, import_model
from genret.importing.torch_file import TorchFile

__all__ = ["LIKE", "TorchFile", "import_model"]
