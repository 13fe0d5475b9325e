"""Lists: parameters, conditions, order and paging (reference 3, sample 04)."""
