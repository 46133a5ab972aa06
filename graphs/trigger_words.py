"""The words for what a trigger refuses and why it stands still: each reason code has a sentence."""

REFUSED = {
    "data_unfit": "The data does not fit the workflow.",
    "key_unfit": "The row's key is empty, longer than 512 characters, or cannot be stored.",
    "limit_depth": "Too many cases stand above it already.",
    "malformed": "It is no JSON object, or no CloudEvents 1.0 event, or holds what cannot be stored.",
    "not_a_file": "It is a link or something else that is not read.",
    "out_of_scope": "The records that it names do not belong together.",
    "reserved_source": "The source is that of a trigger or a schedule.",
    "row_unfit": "The row's data is too large, nested too deeply, or cannot be stored.",
    "too_large": "It is too large.",
    "unforeseen": "Something in the software broke; the log says what.",
    "unknown_case": "There is no such case that the service may tell of news.",
    "unknown_parent": "There is no such case that the service may name as the parent.",
    "unknown_workflow": "There is no such workflow.",
    "unreadable": "It cannot be read by Countersign.",
    "wrong_type": "The event's type is neither that of the trigger's workflow nor news for a case.",
}
"""Why a row or a file begins no case; a record's own system may refuse with a code of its own."""
OTHERWISE = "A system refused what it was asked."

STANDING = {
    "connector_rests": "A system that intake asks has failed too often in a row.",
    "database_away": "The table's database does not answer.",
    "folder_away": "The folder is not there.",
    "folder_not_writable": "Files cannot be moved to done/ and refused/ in the folder.",
    "no_such_column": "A column that the triggers file names is not there.",
    "no_such_service": "The service is not in the people file.",
    "no_such_table": "The table is not there, or not for this database role.",
    "not_permitted": "The service does not hold cases:start.",
    "order_missing": "Rows without a key or an order value are left out.",
    "order_unfit": "The order column holds neither whole numbers nor times.",
    "people_unknown": "The people file cannot be read.",
    "table_unreadable": "The table cannot be read as the triggers file says.",
    "tool_error": "A system that intake asks does not answer.",
    "tool_unavailable": "A system that intake asks does not answer.",
}
"""What is the matter with a trigger; of `order_missing` alone it does not stand still."""


def why_text(reason: str, fields: tuple[str, ...] = ()) -> str:
    """What is put beside a refused file: code, sentence, and which fields; nothing of what was in it."""
    told = f"{reason}: {REFUSED.get(reason, OTHERWISE)}"
    return f"{told} Fields: {', '.join(fields)}.\n" if fields else f"{told}\n"
