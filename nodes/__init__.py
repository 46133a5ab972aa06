"""The steps of a workflow and the governance around them: judge, gate, gateway."""
