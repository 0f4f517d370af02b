"""Filter expressions: which items pass, said in one small language by requests, placements, rules and the console."""
