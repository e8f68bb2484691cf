"""How a machine becomes a node, proves who it is, gets another name or place, and stops being one."""
