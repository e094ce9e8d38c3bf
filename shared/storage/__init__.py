"""The only place that knows the Mongo driver.

Motor is the project's driver and is deprecated upstream, so it stays behind these few classes: `Database` (one a
service), `MongoAggregates` (documents with their outbox), `Replica` (another service's facts, kept by version) and
`Collection` for what else a service asks.
"""

from shared.storage.aggregates import MongoAggregates
from shared.storage.database import Database, Index, connect
from shared.storage.documents import Documents
from shared.storage.replica import Replica

__all__ = ["Database", "Documents", "Index", "MongoAggregates", "Replica", "connect"]
