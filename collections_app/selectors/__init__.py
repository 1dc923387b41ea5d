"""What reads: the gate's word on calls, the work queue, the pages."""
