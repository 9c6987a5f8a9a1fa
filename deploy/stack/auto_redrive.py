"""The automatic redrive: its function, with the schedules, the role, the log group and the alarm."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.context import DEFAULT_BUS, Deployment
from deploy.stack.archive import archive
from deploy.stack.function import Function
from deploy.stack.monitoring import RUNBOOK, describe
from deploy.stack.retention import function_log
from deploy.stack.statements import allow, lambda_role, local_arn, write_log
from deploy.stack.suppressions import acknowledge
from handler.contract import AUDIT, CALENDAR
from monitoring import model
from monitoring.auto_redrive import auto_redrive_failures
from otel.semconv import ENVIRONMENT_DIMENSION
from redriver import (
    BUS_VARIABLE,
    CALENDAR_TASK,
    ENVIRONMENT_VARIABLE,
    FUNCTION_VARIABLE,
    QUEUE_VARIABLE,
    REDRIVE_TASK,
    RULE_VARIABLE,
    TIMEOUT_S,
)
from redriver.calendar import has_dates

HANDLER = "redriver.app"
"""The module with the handler."""

MEMORY_MB = 512
"""A run reads up to 5,000 messages."""

_CALENDAR_SCHEDULE = events.Schedule.cron(minute="0", hour="12")


class AutoRedrive(Construct):
    """The scheduled function that redrives transient dead letters.

    Attributes:
        alarm: In ALARM while the function fails, or an event is left for a person.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        deployment: Deployment,
        *,
        function: Function,
    ) -> None:
        super().__init__(scope, construct_id)
        self._deployment = deployment
        log_group = function_log(
            self, deployment, self._name, content="lines have counts, categories and correlation IDs"
        )
        with archive(HANDLER) as folder:
            self.function = self._function(function, self._role(function, log_group), log_group, folder)
        minutes = deployment.auto_redrive_minutes
        self._schedule("Schedule", self._name, REDRIVE_TASK, events.Schedule.rate(Duration.minutes(minutes)))
        if has_dates():
            self._schedule("CalendarSchedule", f"{deployment.name}-calendar-check", CALENDAR_TASK, _CALENDAR_SCHEDULE)
        self.alarm = self._alarm(auto_redrive_failures(minutes))

    @property
    def _name(self) -> str:
        return f"{self._deployment.name}-auto-redrive"

    def _function(self, function: Function, role: iam.Role, log_group: logs.LogGroup, folder: str) -> lambda_.Function:
        made = lambda_.Function(
            self,
            "Function",
            function_name=self._name,
            description=f"Redrives the transient dead letters of {self._deployment.name}",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=function.function.architecture,
            handler=f"{HANDLER}.lambda_handler",
            code=lambda_.Code.from_asset(folder),
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(TIMEOUT_S),
            # CDK would add wider permissions than the function needs.
            role=role.without_policy_updates(),
            environment={
                ENVIRONMENT_VARIABLE: self._deployment.environment.name,
                QUEUE_VARIABLE: function.resources.queue.queue_url,
                CALENDAR.variable: function.resources.calendar.table_name,
                AUDIT.variable: function.resources.audit.table_name,
                FUNCTION_VARIABLE: function.alias.function_arn,
                RULE_VARIABLE: self._deployment.rule_name,
                BUS_VARIABLE: self._deployment.bus_name,
            },
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
            system_log_level_v2=lambda_.SystemLogLevel.INFO,
            retry_attempts=0,  # the schedule tries again, and a run of half an hour ago is of no use
            max_event_age=Duration.minutes(self._deployment.auto_redrive_minutes),
        )
        same_python = "The Python of the image, which also runs the tests of this function."
        no_dead_letters = "An invocation has no event to keep: the next one does the same."
        acknowledge(
            made,
            {
                "Serverless::Serverless-LambdaDLQ": no_dead_letters,
                "CKV_AWS_116": no_dead_letters,
                "CKV_AWS_115": "A schedule invokes it, less often than it can run: a reservation would only take "
                "concurrency from the account's other functions.",
                "CKV_AWS_117": "It calls DynamoDB, EventBridge, Lambda and SQS only, over TLS.",
                "CKV_AWS_173": "Its environment variables are names and URLs, no secrets.",
                "AwsSolutions::AwsSolutions-L1": same_python,
                "Serverless::Serverless-LambdaLatestVersion": same_python,
                "Serverless::Serverless-LambdaAsyncFailureDestination": no_dead_letters,
                "Serverless::Serverless-LambdaTracing": "Each event that it sends has a trace of its own; the run is "
                "one log line.",
            },
        )
        return made

    def _rule_arn(self) -> str:
        """Return the ARN of the rule that delivers events. CDK's has no bus in it before AWS has resolved it."""
        deployment = self._deployment
        bus = "" if deployment.bus_name == DEFAULT_BUS else f"{deployment.bus_name}/"
        return local_arn(self, "events", f"rule/{bus}{deployment.rule_name}")

    def _role(self, function: Function, log_group: logs.LogGroup) -> iam.Role:
        """Return the role, which allows exactly the calls that the function makes."""
        on = function.resources
        # Without `GetQueueUrl`, which operators need: the function has the URL.
        receive = ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"]
        statements = [
            allow("HandleDeadLetters", [f"sqs:{action}" for action in receive], [on.queue.queue_arn]),
            allow("InvokeFunction", ["lambda:InvokeFunction"], [function.alias.function_arn]),
            allow("SeeConcurrency", ["lambda:GetFunctionConcurrency"], [function.function.function_arn]),
            allow("SeeRule", ["events:DescribeRule"], [self._rule_arn()]),
            allow("SeeRows", ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"], [on.calendar.table_arn]),
            allow("AppendAuditEntries", ["dynamodb:PutItem", "dynamodb:Query"], [on.audit.table_arn]),
            write_log(log_group.log_group_arn),
        ]
        description = f"Permissions of the automatic redrive of {self._deployment.name}"
        return lambda_role(self, "AutoRedrive", statements, description=description)

    def _schedule(self, construct_id: str, name: str, task: str, schedule: events.Schedule) -> None:
        rule = events.Rule(
            self,
            construct_id,
            rule_name=name,
            description=f"Schedule of {self._name}: {task}",
            schedule=schedule,
            targets=[
                targets.LambdaFunction(
                    self.function,
                    event=events.RuleTargetInput.from_object({"task": task}),
                    retry_attempts=0,
                    max_event_age=Duration.minutes(self._deployment.auto_redrive_minutes),
                )
            ],
        )
        missed = "A run that was missed needs no dead letter: the next one does the same."
        acknowledge(rule, {"Serverless::Serverless-EventBusDLQ": missed})

    def _alarm(self, alarm: model.Alarm) -> cloudwatch.Alarm:
        period = Duration.seconds(alarm.period)
        dimensions = {
            model.Source.LAMBDA: {"FunctionName": self.function.function_name},
            model.Source.FUNCTION: {ENVIRONMENT_DIMENSION: self._deployment.environment.name},
        }
        metrics = {
            name: cloudwatch.Metric(
                namespace=metric.source.value,
                metric_name=metric.name,
                dimensions_map=dimensions[metric.source],
                statistic=metric.statistic,
                period=period,
            )
            for name, metric in alarm.metrics.items()
        }
        return cloudwatch.Alarm(
            self,
            "Failures",
            alarm_name=f"{self._deployment.name}-{alarm.name}",
            alarm_description=describe(alarm.severity, alarm.summary, alarm.name, self._deployment.runbook or RUNBOOK),
            metric=cloudwatch.MathExpression(expression=alarm.expression, using_metrics=dict(metrics), period=period),
            threshold=alarm.threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=alarm.within,
            datapoints_to_alarm=alarm.breaching,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
