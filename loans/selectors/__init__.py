"""What is read: loans and their folds, applications, products, the business date."""
