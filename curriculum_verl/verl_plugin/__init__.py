"""The plug-in for verl: found by verl itself through the entry-point group verl.plugins."""
