"""The face of Countersign: HTTP, worker process and command line."""
