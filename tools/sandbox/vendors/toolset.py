"""All tools of the vendor register."""

from tools.contract import Tool
from tools.sandbox.database import Sandbox
from tools.sandbox.vendors.accounts import accounts_tools
from tools.sandbox.vendors.activation import activation_tools
from tools.sandbox.vendors.clearances import clearances_tools
from tools.sandbox.vendors.documents import documents_tools
from tools.sandbox.vendors.messages import messages_tools
from tools.sandbox.vendors.register import register_tools
from tools.sandbox.vendors.screening import screening_tools


def vendors_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools by which vendors are looked at, asked, cleared and activated."""
    return (
        *register_tools(sandbox),
        *documents_tools(sandbox),
        *screening_tools(sandbox),
        *accounts_tools(sandbox),
        *clearances_tools(sandbox),
        *messages_tools(sandbox),
        *activation_tools(sandbox),
    )
