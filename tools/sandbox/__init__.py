"""The sandbox company: a small online shop with a database of its own, reached only through its tools."""

from tools.contract import Tool
from tools.sandbox.accounts import accounts_tools
from tools.sandbox.customers import customers_tools
from tools.sandbox.database import Sandbox
from tools.sandbox.fraud import fraud_tools
from tools.sandbox.operations.toolset import operations_tools
from tools.sandbox.orders import orders_tools
from tools.sandbox.payments import payments_tools
from tools.sandbox.product_events.events import product_events_tools
from tools.sandbox.tickets import tickets_tools
from tools.sandbox.vendors.toolset import vendors_tools


def sandbox_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """All tools of the sandbox company."""
    return (
        *customers_tools(sandbox),
        *orders_tools(sandbox),
        *payments_tools(sandbox),
        *fraud_tools(sandbox),
        *tickets_tools(sandbox),
        *accounts_tools(sandbox),
        *product_events_tools(sandbox),
        *operations_tools(sandbox),
        *vendors_tools(sandbox),
    )
