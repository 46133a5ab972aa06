"""Documents from outside: their text, page by page, within bounds."""
