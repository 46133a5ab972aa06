"""The rollback of a case, whatever its workflow."""
