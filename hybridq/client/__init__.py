"""What programs use: a queue, its jobs and groups, and what can go wrong with them.

Rule: stores and reads; never runs a job. Any thread may use any of it, in a running event loop too.
"""

from ..errors import HybridqError
from .job import Job, Piece
from .queue import Group, Queue
from .troubles import JobCancelled, JobFailed, NoRunner

__all__ = ["Group", "HybridqError", "Job", "JobCancelled", "JobFailed", "NoRunner", "Piece", "Queue"]
