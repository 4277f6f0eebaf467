"""A backbone decodes as its model does, one sequence at a time: proven at load, with slower paths where it must."""
