"""How an active flow does, told by its drawing: each vertex and each mover."""
