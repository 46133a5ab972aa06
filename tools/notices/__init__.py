"""Notices to people and systems outside: by mail, by signed webhook, into a chat room."""
