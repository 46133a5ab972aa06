"""What is remembered: database, checkpoints, cases, reviews, effects, audit log and queue."""
