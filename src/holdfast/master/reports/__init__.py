"""Reports: `promises` (RPO met) and `coverage` reckon, purely; `reports` reads the records and puts tables together."""
