"""The CloudFormation stack."""

import aws_cdk as cdk
from aws_cdk import aws_applicationsignals as applicationsignals
from aws_cdk import aws_cloudwatch_actions as actions
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.alarm_topic import AlarmTopics
from deploy.stack.auto_redrive import AutoRedrive
from deploy.stack.dead_letters import DeadLetterQueue
from deploy.stack.events import Events
from deploy.stack.function import TIMEOUT_SECONDS, Function
from deploy.stack.metrics import MonitoredResources
from deploy.stack.monitoring import RUNBOOK, Monitoring
from deploy.stack.permissions import operators_policy
from deploy.stack.pre_traffic import PreTrafficHook
from deploy.stack.producers import Producers
from deploy.stack.responders import responders_policy
from deploy.stack.rollout import Rollout, failing_version_alarm
from deploy.stack.tables import Tables
from deploy.stack.unmatched import UnmatchedEvents
from deploy.stack.verification import Reached, verification_role
from handler.contract import DESCRIPTION
from monitoring.alarms import AUTO_REDRIVE_SEVERITY, FAILING_VERSION_SEVERITY
from monitoring.model import Level, Severity


class MarkEarningsProcessedStack(cdk.Stack):
    """All resources of one environment."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        environment = deployment.environment
        super().__init__(
            scope,
            deployment.name,
            description=f"{DESCRIPTION} ({environment.name})",
            termination_protection=environment.keeps_data,
            # The CDK command line refuses credentials of another account.
            env=cdk.Environment(account=deployment.account, region=deployment.region),
            synthesizer=cdk.BootstraplessSynthesizer() if deployment.portable else None,
        )
        tables = Tables(self, "Tables", deployment)
        queue = DeadLetterQueue(self, "DeadLetters", deployment).queue
        function = Function(self, "MarkEarnings", deployment, tables=tables, queue=queue)
        events = Events(self, "Events", deployment, alias=function.alias, queue=queue)
        topics = AlarmTopics(self, "Alarms", deployment).by_severity
        monitoring = Monitoring(
            self,
            "Monitoring",
            monitored=MonitoredResources(
                function=function.alias,
                queue=queue,
                rule=deployment.rule_name,
                bus=deployment.bus_name,
                log_group=function.resources.log_group,
                memory_mb=deployment.memory_mb,
                calendar_table=tables.calendar.table_name,
                audit_table=tables.audit.table_name,
                unmatched_rule=deployment.unmatched_rule_name,
                silence_hours=deployment.silence_hours,
                timeout_seconds=TIMEOUT_SECONDS,
            ),
            environment=environment.name,
            topics=topics,
            prefix=deployment.name,
            runbook=deployment.runbook or RUNBOOK,
            level=deployment.monitoring,
            with_log_alarm=deployment.has_log_alarm,
        )
        if deployment.monitoring is Level.FULL:
            UnmatchedEvents(self, "MonitoringUnmatched", deployment)
        failing_version = failing_version_alarm(self, deployment, function.function)
        action = actions.SnsAction(topics[FAILING_VERSION_SEVERITY])
        failing_version.add_alarm_action(action)
        failing_version.add_ok_action(action)
        hook = None
        if not deployment.portable:
            hook = PreTrafficHook(self, "PreTraffic", deployment, function=function).function
        alarms = [failing_version, *monitoring.rollback]
        Rollout(self, "Rollout", deployment, alias=function.alias, hook=hook, alarms=alarms)
        if deployment.auto_redrive_minutes:
            automatic = AutoRedrive(self, "AutoRedrive", deployment, function=function)
            ticket = actions.SnsAction(topics[AUTO_REDRIVE_SEVERITY])
            automatic.alarm.add_alarm_action(ticket)
            automatic.alarm.add_ok_action(ticket)
        if deployment.application_signals == "discovery":
            # One per account: retained, because other functions rely on it when this stack is gone.
            discovery = applicationsignals.CfnDiscovery(self, "ApplicationSignals")
            discovery.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        operators = operators_policy(
            self,
            deployment,
            function.resources,
            bus_arn=events.bus.event_bus_arn,
            alias_arn=function.alias.function_arn,
        )
        producers = Producers(self, "Producers", deployment, bus=events.bus)
        verification = verification_role(
            self,
            deployment,
            function.resources,
            Reached(
                events.bus.event_bus_arn,
                function.alias.function_arn,
                [topics[severity].topic_arn for severity in Severity],
            ),
        )
        for name, value in {
            "FunctionName": function.function.function_name,
            "FunctionAlias": function.alias.function_arn,
            "EventBusName": events.bus.event_bus_name,
            "EventBusArn": events.bus.event_bus_arn,
            "RuleArn": events.rule.rule_arn,
            "ArchiveArn": events.archive.archive_arn,
            "DeadLetterQueueUrl": queue.queue_url,
            "CalendarTable": tables.calendar.table_name,
            "AuditTable": tables.audit.table_name,
            "AlarmTopicArn": topics[Severity.PAGE].topic_arn,
            "PageTopicArn": topics[Severity.PAGE].topic_arn,
            "TicketTopicArn": topics[Severity.TICKET].topic_arn,
            "LogGroupName": function.resources.log_group.log_group_name,
            "OperatorsPolicyArn": operators.managed_policy_arn,
            "ProducersPolicyArn": producers.policy.managed_policy_arn,
            "RespondersPolicyArn": responders_policy(self, deployment, function.resources).managed_policy_arn,
            "VerificationRoleArn": verification.role_arn,
        }.items():
            cdk.CfnOutput(self, name, value=value)
