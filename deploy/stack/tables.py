"""The calendar table and the audit table: created, or existing ones."""

from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.retention import kept_always
from deploy.stack.suppressions import acknowledge
from handler import contract


class Tables(Construct):
    """The calendar table, and the audit table, which the function may neither read, update nor delete from."""

    def __init__(self, scope: Construct, construct_id: str, deployment: Deployment) -> None:
        super().__init__(scope, construct_id)
        self.calendar = self._table(deployment, "Calendar", contract.CALENDAR, deployment.calendar_table)
        self.audit = self._table(deployment, "Audit", contract.AUDIT, deployment.audit_table)
        if isinstance(self.audit, dynamodb.Table):
            self.audit.add_global_secondary_index(
                index_name=contract.CORRELATION_INDEX, partition_key=_text("correlation_id")
            )

    def _table(
        self, deployment: Deployment, construct_id: str, contract_table: contract.Table, existing: str | None
    ) -> dynamodb.ITable:
        if existing is not None:
            return dynamodb.Table.from_table_name(self, construct_id, existing)
        partition_key, *sort_key = contract_table.key
        table = dynamodb.Table(
            self,
            construct_id,
            table_name=deployment.table_name(contract_table.default),
            partition_key=_text(partition_key),
            sort_key=_text(sort_key[0]) if sort_key else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=deployment.environment.keeps_data,
            removal_policy=kept_always(deployment),
        )
        acknowledge(
            table,
            {
                "CKV_AWS_119": "Encrypted with the account's AWS-managed key: a symbol, a date and IDs need no "
                "customer-managed key. An existing table with one can be used by name.",
            },
        )
        return table


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
