"""What the queue's file has got since its first tables: one function a migration, in their order.

Rule: a step never changes once it was released; `schema` runs each once.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def environments(db: "Database") -> None:
    """The variables that commands run with, once for all submissions that came with the same."""
    for statement in (
        "CREATE TABLE environment (id INTEGER PRIMARY KEY AUTOINCREMENT, variables BLOB NOT NULL UNIQUE)",
        "ALTER TABLE cohort ADD COLUMN environment INTEGER",
        "CREATE INDEX cohort_environment ON cohort (environment) WHERE environment IS NOT NULL",
        """CREATE TRIGGER environment_forgotten AFTER DELETE ON cohort WHEN old.environment IS NOT NULL BEGIN
            DELETE FROM environment WHERE id = old.environment
                AND NOT EXISTS (SELECT 1 FROM cohort WHERE environment = old.environment);
        END""",
    ):
        db.conn.execute(statement)
