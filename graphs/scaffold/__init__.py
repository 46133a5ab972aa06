"""The scaffold: a sample workflow that runs, and the code that lays it out anew under another name."""
