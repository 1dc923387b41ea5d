"""Education: home, calculator, lessons and their quizzes."""
