"""The same with Powertools Idempotency: a table of processed events, one put and one update per event."""

from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent

from bench.variants.powertools import observed, process

_once = idempotent(
    persistence_store=DynamoDBPersistenceLayer(table_name="earningsIdempotency"),
    config=IdempotencyConfig(event_key_jmespath="detail.event_id"),
)

lambda_handler = observed(_once(process))
