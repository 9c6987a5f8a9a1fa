"""The command `mep query`."""

import difflib
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mep.errors import UnavailableError, UsageError
from mep.output import print_error
from mep.query import SINCE
from mep.stack.options import Environment

if TYPE_CHECKING:
    from mep.query.result import QueryResult
    from monitoring.model import Query

_EMULATED = ("logs", "dynamodb", "sqs")
"""Services whose endpoints show that the shell is for an emulator, whose credentials are none of AWS's."""


def _complete_names(incomplete: str) -> list[tuple[str, str]]:
    from monitoring.queries import QUERIES

    return [(query.name, query.purpose) for query in QUERIES if query.name.startswith(incomplete)]


def query_command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A saved query; without one they are listed.", autocompletion=_complete_names
        ),
    ] = None,
    *,
    environment: Environment = None,
    correlation_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The correlation ID, for `by-correlation-id`.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="AGE", help="How far back to search AWS: 30m, 12h, 7d.")] = SINCE,
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Query the whole --out of a `mep local` run instead of AWS."),
    ] = None,
    log_group: Annotated[
        str | None, typer.Option(metavar="NAME", help="The function's log group, if it is not the environment's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run a saved query: on the function's log group, or on a `mep local` run with --run.

    The queries are those of the dashboard and the runbook. All values are as CloudWatch Logs Insights returns them: a
    boolean is 1 or 0, times are in UTC.

    The exit status is 0 also where no line matches, and 3 when the log could not be queried, or not completely: an
    empty result then proves nothing. Ctrl-C stops the query.
    """
    from mep.terminal import console

    if name is None:
        _list(as_json=as_json)
        return
    query = _find(name)
    text = _text(query, correlation_id)
    result = _run_local(run, query, text) if run is not None else _run_aws(query, text, environment, since, log_group)
    if as_json:
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False))
    else:
        from mep.query.render import show_result

        show_result(result, console())
    if result.problem is not None:
        raise UnavailableError(f"the result of {name} is incomplete: {result.problem}")


def _list(*, as_json: bool) -> None:
    from mep.terminal import console
    from monitoring.queries import QUERIES

    if as_json:
        listed = [{"name": query.name, "purpose": query.purpose, "text": query.text} for query in QUERIES]
        typer.echo(json.dumps({"queries": listed}, ensure_ascii=False))
        return
    from mep.query.render import show_queries

    show_queries(QUERIES, console())


def _find(name: str) -> "Query":
    """Return a saved query.

    Raises:
        UsageError: There is no such query.
    """
    from monitoring.queries import QUERIES

    by_name = {query.name: query for query in QUERIES}
    if name in by_name:
        return by_name[name]
    similar = difflib.get_close_matches(name, by_name, n=1)
    hint = f"did you mean {similar[0]}?" if similar else "`mep query` lists them"
    raise UsageError(f"there is no saved query {name}: {hint}")


def _text(query: "Query", correlation_id: str | None) -> str:
    """Return the text of a query for an event.

    Raises:
        UsageError: The query needs a correlation ID and there is none, or the reverse.
    """
    from handler.validation import FieldError, parse_id
    from monitoring.queries import CORRELATION_ID_PLACEHOLDER

    needs_id = CORRELATION_ID_PLACEHOLDER in query.text
    if correlation_id is None:
        if needs_id:
            raise UsageError(f"the query {query.name} needs --correlation-id ID")
        return query.text
    if not needs_id:
        raise UsageError(f"--correlation-id: the query {query.name} is not about one event")
    try:
        return query.text.replace(CORRELATION_ID_PLACEHOLDER, parse_id(correlation_id))
    except FieldError as error:
        raise UsageError(f"--correlation-id {correlation_id}: must be {error}") from error


def _run_local(run: Path, query: "Query", text: str) -> "QueryResult":
    from mep.query.local_run import query_run

    (result,) = query_run(run, {query.name: text})
    return result


def _run_aws(query: "Query", text: str, environment: str | None, since: str, log_group: str | None) -> "QueryResult":
    from mep.dlq.selection import parse_age
    from mep.progress import ProgressBar
    from mep.query.cloud import LogsQuery
    from mep.settings import load_settings
    from mep.stack.naming import Given, Resource
    from mep.terminal import console

    age = parse_age("--since", since) or timedelta()
    given = [Given("--log-group", Resource.LOG_GROUP, log_group)] if log_group else []
    settings = load_settings(environment=environment, needs=[Resource.LOG_GROUP], given=given, warn=print_error)
    settings.aws.check_credentials()
    settings.aws.prefer_emulator(_EMULATED)
    if not settings.aws.is_allowed("logs"):
        raise UsageError(
            "the endpoints of this shell are an emulator's, and AWS_ENDPOINT_URL_CLOUDWATCH_LOGS is not set: "
            "use --run DIR to query its run, or a shell without its variables (kept.env)"
        )
    group = log_group or settings.names.log_group
    with ProgressBar(console(stderr=True), f"querying {group}, the last {since}"):
        return LogsQuery(settings.aws.client("logs"), group).run(query.name, text, age)
