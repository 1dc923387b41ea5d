"""Pure calculation of budgets and plans: no database, no clock."""
