"""clock under the name of its distribution, for a project that has a `clock.py` or a `clock/` of its own.

`from clockd import every` and `python -m clockd` find this package whatever lies in the current folder.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

_FILE = Path(__file__).parent.parent / "clock" / "__init__.py"


def _import_clock() -> None:
    """Import this `clock`, wherever it is on the import path. Raises ImportError if another was imported."""
    known = sys.modules.get("clock")
    if known is None:
        spec = spec_from_file_location("clock", _FILE)
        assert spec is not None and spec.loader is not None  # noqa: PT018, S101  # the file is ours
        sys.modules["clock"] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules["clock"])
        return
    file = getattr(known, "__file__", None)
    if file is None or not _FILE.samefile(file):
        raise ImportError(f"{file or known} is imported as `clock`, the name of this package; rename it")


_import_clock()

from clock import __all__, __version__  # noqa: E402, F401  # it is found now

if TYPE_CHECKING:
    from clock import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        """A name of `clock`, which may import it only now."""
        if name.startswith("__") or name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(sys.modules["clock"], name)
