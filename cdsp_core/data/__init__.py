"""Three image tasks as tensors on one device.

`tasks` imports no torch. The rest does and is loaded when first asked for, so that the web process can
read `cdsp_core.data.tasks` without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cdsp_core.data.idx import DatasetError
from cdsp_core.data.tasks import Task

if TYPE_CHECKING:
    from cdsp_core.data.datasets import Datasets, TaskData, load_datasets
else:

    def __getattr__(name: str) -> Any:
        if name in __all__:
            return getattr(importlib.import_module("cdsp_core.data.datasets"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["DatasetError", "Datasets", "Task", "TaskData", "load_datasets"]
