"""Does a curriculum pay? Policies compared through verl's own trainer, on tasks on which a CPU can tell them apart."""
