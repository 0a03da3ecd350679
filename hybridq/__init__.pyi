from .client import Group as Group
from .client import HybridqError as HybridqError
from .client import Job as Job
from .client import JobCancelled as JobCancelled
from .client import JobFailed as JobFailed
from .client import NoRunner as NoRunner
from .client import Piece as Piece
from .client import Queue as Queue

__version__: str
__all__ = ["Group", "HybridqError", "Job", "JobCancelled", "JobFailed", "NoRunner", "Piece", "Queue"]
