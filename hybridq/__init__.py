"""One local queue: stream what somebody waits for, batch what can wait, and say why.

`__all__` is all that is public; every module and folder is internal and may change. Types stand in `__init__.pyi`.
"""

__version__ = "0.1.0"
__all__ = ["Group", "HybridqError", "Job", "JobCancelled", "JobFailed", "NoRunner", "Piece", "Queue"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'hybridq' has no attribute {name!r}")
    from importlib import import_module  # a command line never comes here

    return getattr(import_module("hybridq.client"), name)
