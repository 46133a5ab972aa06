"""All tools of operations."""

from tools.contract import Tool
from tools.sandbox.database import Sandbox
from tools.sandbox.operations.alerts import alerts_tools
from tools.sandbox.operations.deployments import deployments_tools
from tools.sandbox.operations.incident_deeds import incident_deeds_tools
from tools.sandbox.operations.incidents import incidents_tools
from tools.sandbox.operations.logs import logs_tools
from tools.sandbox.operations.pages import pages_tools
from tools.sandbox.operations.search import search_tools
from tools.sandbox.operations.services import services_tools
from tools.sandbox.operations.tasks import tasks_tools


def operations_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """All tools of operations."""
    return (
        *services_tools(sandbox),
        *alerts_tools(sandbox),
        *logs_tools(sandbox),
        *deployments_tools(sandbox),
        *incidents_tools(sandbox),
        *incident_deeds_tools(sandbox),
        *search_tools(sandbox),
        *pages_tools(sandbox),
        *tasks_tools(sandbox),
    )
