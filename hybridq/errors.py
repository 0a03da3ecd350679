"""Everything that can go wrong in a way that a user should read: one small tree.

The message is the sentence that the user sees. It says what is wrong and what to type next.
The command line maps a class to its exit code in one place, `cli/errors.py`.
"""


class HybridqError(Exception):
    """Something went wrong inside hybridq."""


class UsageError(HybridqError):
    """The request makes no sense as it was given."""


class BadData(HybridqError):
    """An input could not be read or understood."""


class NoSuchJob(HybridqError):
    """Nothing in the queue matches."""


class AlreadyRunning(HybridqError):
    """Another daemon holds this queue."""


class CorruptQueue(HybridqError):
    """The database is damaged or is no hybridq database; it was left untouched."""


class StorageError(HybridqError):
    """The disk refused."""


class ReadOnly(StorageError):
    """The queue can be read here, but not written."""


class TryAgain(HybridqError):
    """Not now, but later."""


class NotAllowed(HybridqError):
    """The folder or file is not safe to use."""


class ConfigError(HybridqError):
    """The configuration says something that hybridq does not understand."""


class SchemaError(ConfigError):
    """The database was made by another release."""
