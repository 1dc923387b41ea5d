"""Pure calculation: grading of a quiz, and the true cost of a flat fee."""
