"""The workflows, their rule tables and roles, the wiring that chooses parts, and the runner."""
