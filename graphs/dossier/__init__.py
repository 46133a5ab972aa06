"""Dossiers: one case in one file, complete enough to be explained and verified by the file alone."""
