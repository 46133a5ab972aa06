"""Triggers: small readers of what happens outside, in a table and in a folder."""
