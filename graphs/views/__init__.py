"""Views: what a person sees of a case in a notebook, as HTML that nothing can break out of, and as text."""
