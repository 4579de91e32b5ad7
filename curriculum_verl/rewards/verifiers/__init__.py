"""R_final: verifiers that compare a response with the task's ground truth."""
