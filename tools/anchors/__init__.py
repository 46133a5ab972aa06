"""Anchors: places outside where the log's signed heads are put, so that no rewriting here goes unnoticed."""
