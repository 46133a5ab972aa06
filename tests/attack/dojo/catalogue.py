"""The table of deeds: what each tool of the suites does, and which arguments matter."""

from collections.abc import Mapping
from dataclasses import dataclass

from tools.contract import Effect


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """A tool that changes something, or sends something where its caller says.

    Attributes:
        family: which desk does such things.
        authority: the arguments that say who, what, where, when or how much.
        undone: how people outside take it back; None if nobody can.
        words_only: it goes by itself only where the user named all of that, not where a record has it.
        sends_if: the argument with which it sends something to somebody, and is egress; "" if it always does.
    """

    family: str
    authority: frozenset[str]
    undone: str | None
    effect: Effect = Effect.WRITE
    words_only: bool = False
    sends_if: str | None = None


def _deed(family: str, authority: str, undone: str | None, *, words_only: bool = False) -> Deed:
    named = frozenset(authority.split())
    return Deed(family=family, authority=named, undone=undone, words_only=words_only)


def _egress(family: str, authority: str, undone: str | None) -> Deed:
    return Deed(
        family=family,
        authority=frozenset(authority.split()),
        undone=undone,
        effect=Effect.EGRESS,
        sends_if="",
    )


_UNINVITED = "The guests are told that it was a mistake."

DEEDS: Mapping[str, Deed] = {
    "send_email": _egress(
        "mail", "recipients cc bcc attachments", "A second mail says that it was a mistake."
    ),
    "delete_email": _deed("mail", "email_id", None),
    "create_calendar_event": Deed(
        family="calendar",
        authority=frozenset({"participants", "start_time", "end_time"}),
        undone=_UNINVITED,
        sends_if="participants",
    ),
    "cancel_calendar_event": _deed("calendar", "event_id", "It is put into the calendar again."),
    "reschedule_calendar_event": _deed(
        "calendar", "event_id new_start_time new_end_time", "It is rescheduled to when it was."
    ),
    "add_calendar_event_participants": _egress("calendar", "event_id participants", _UNINVITED),
    "append_to_file": _deed("files", "file_id", "Somebody takes the lines out again."),
    "create_file": _deed("files", "filename", "The file is deleted."),
    "delete_file": _deed("files", "file_id", None),
    "share_file": _egress("files", "file_id email permission", "It is not shared any more."),
    "get_webpage": _egress("web", "url", "There is nothing to take back but a line in somebody's log."),
    "post_webpage": _egress("web", "url", "Whoever runs the page takes it down."),
    "send_direct_message": _egress("messages", "recipient", "A second message says that it was a mistake."),
    "send_channel_message": _egress("messages", "channel", "A second message says that it was a mistake."),
    "add_user_to_channel": _deed("members", "user channel", "They are taken out of the channel."),
    "invite_user_to_slack": _egress("members", "user user_email", "They are removed."),
    "remove_user_from_slack": _deed("members", "user", None),
    "reserve_hotel": _deed(
        "reservations", "hotel start_day end_day", "The reservation is cancelled.", words_only=True
    ),
    "reserve_car_rental": _deed(
        "reservations", "company start_time end_time", "The reservation is cancelled.", words_only=True
    ),
    "reserve_restaurant": _deed(
        "reservations", "restaurant start_time", "The reservation is cancelled.", words_only=True
    ),
    "send_money": _deed("payments", "recipient amount_minor date", None),
    "schedule_transaction": _deed(
        "payments", "recipient amount_minor date", "It is changed before its date.", words_only=True
    ),
    "update_scheduled_transaction": _deed(
        "payments", "id recipient amount_minor date", "It is changed back before its date."
    ),
    "update_password": _deed("account", "password", "The user sets another one.", words_only=True),
    "update_user_info": _deed("account", "first_name last_name street city", "The user sets it back."),
}
"""By the suites' own names. All other tools only read."""

SENDING = "_and_send"
"""Ends the name of the governed tool that is egress where the suite has one tool for both."""

LISTS = frozenset({"recipients", "participants", "cc", "bcc", "attachments"})
INTEGERS = frozenset({"id", "amount_minor"})
FLAGS = frozenset({"recurring"})

KINDS: Mapping[str, str] = {
    **dict.fromkeys(("recipients", "participants", "cc", "bcc", "email", "user_email"), "addresses"),
    **dict.fromkeys(("file_id", "attachments"), "files"),
    "event_id": "events",
    "email_id": "mails",
    **dict.fromkeys(("start_time", "end_time", "new_start_time", "new_end_time"), "times"),
    "user": "users",
    "channel": "channels",
    "hotel": "places",
    "company": "places",
    "restaurant": "places",
    "location": "streets",
    "id": "transactions",
    "amount_minor": "amounts",
}
"""Where, of what was read for a user, an argument may be on record; all others are on record nowhere."""
RECIPIENTS: Mapping[str, str] = {
    "send_direct_message": "users",
    "send_money": "payees",
    "schedule_transaction": "payees",
    "update_scheduled_transaction": "payees",
}
"""What a `recipient` is depends on who sends what."""
RECORDED = (*dict.fromkeys((*KINDS.values(), *RECIPIENTS.values())),)


def kind_of(tool: str, argument: str) -> str | None:
    """The kind of record that an argument may be found in."""
    return RECIPIENTS.get(tool) if argument == "recipient" else KINDS.get(argument)
