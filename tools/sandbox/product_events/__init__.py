"""What happens to products on their way and afterwards, as carriers and devices report it."""
