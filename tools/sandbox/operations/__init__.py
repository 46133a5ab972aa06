"""Operations: the company's services, what watches over them, and what was done when they broke."""
