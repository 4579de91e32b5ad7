"""The commands of `curriculum-verl`: a parser and a main each; heavy imports come after parsing."""
