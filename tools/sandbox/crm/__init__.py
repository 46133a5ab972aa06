"""The sales team's CRM as it lies in the database: its tables, its words, its first day."""
