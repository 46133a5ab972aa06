"""The decision record: what was decided in a case, why and by whom, told from its events alone."""
