"""The variables of an environment: what every command reads."""

from handler.contract import AUDIT, CALENDAR
from mep.settings import BUS_VARIABLE, ENVIRONMENT_VARIABLE, QUEUE_VARIABLE
from mep.stack.naming import FUNCTION_VARIABLE, Resource
from mep.stack.resources import StackResources
from monitoring.names import StackNames


def variables(resources: StackResources, region: str) -> dict[str, str]:
    """Return the variables that name the resources of an environment.

    Args:
        resources: Finds the names.
        region: The region.

    Raises:
        MepError: The stack, or its queue, cannot be asked.
    """
    names = resources.names
    found = {
        ENVIRONMENT_VARIABLE: names.environment,
        "AWS_REGION": region,
        QUEUE_VARIABLE: resources.name(Resource.QUEUE),
        BUS_VARIABLE: resources.name(Resource.BUS),
        CALENDAR.variable: resources.name(Resource.CALENDAR),
        AUDIT.variable: resources.name(Resource.AUDIT),
    }
    if names.name != StackNames(names.environment).name:  # the commands derive the usual name by themselves
        found[FUNCTION_VARIABLE] = names.name
    return found
