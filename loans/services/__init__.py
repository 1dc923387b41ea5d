"""What changes: each verb of lending. Lock, check, compute, write, enqueue after commit."""
