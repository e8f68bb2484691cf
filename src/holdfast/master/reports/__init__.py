"""Reports: `promises` (RPO met), `forecast` and `coverage` reckon, purely; `reports` reads the records and puts tables together."""
