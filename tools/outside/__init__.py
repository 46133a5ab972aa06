"""Tools from outside: what other systems offer, taken in by people, bounded, and called through one guard."""
