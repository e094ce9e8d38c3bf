"""The only place that knows the Mongo driver.

Motor is the project's driver and is deprecated upstream, so it stays behind these few classes: `Database` (one a
service), `MongoAggregates` (documents with their outbox), `Replica` (another service's facts, kept by version),
`Answers` (what callers were told who may ask again), `Changes` (what was written since a moment) and `Documents` for
what else a service keeps.
"""

from shared.storage.aggregates import MongoAggregates
from shared.storage.answers import Answers
from shared.storage.changes import Changes, TokenLost
from shared.storage.database import Database, Index, connect
from shared.storage.documents import Documents
from shared.storage.replica import Replica

__all__ = ["Answers", "Changes", "Database", "Documents", "Index", "MongoAggregates", "Replica", "TokenLost", "connect"]
