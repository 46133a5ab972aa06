"""The sales team's CRM as its tools show it: accounts and their fields, the register, and the news."""

from tools.contract import Tool
from tools.sandbox.accounts.fields import fields_tools
from tools.sandbox.accounts.records import records_tools
from tools.sandbox.accounts.sources import sources_tools
from tools.sandbox.database import Sandbox


def accounts_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the CRM, of the register and of the news."""
    return (*records_tools(sandbox), *fields_tools(sandbox), *sources_tools(sandbox))
