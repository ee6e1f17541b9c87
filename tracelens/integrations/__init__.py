"""Files for other programs, as they want them."""
