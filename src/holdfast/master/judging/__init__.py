"""How well each promise is kept, from what nodes say of themselves. Pure."""
